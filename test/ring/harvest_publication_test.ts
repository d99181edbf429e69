// A harvest beside a running producer must never read an entry before it is published.
import { assert, assertEquals } from "@std/assert";
import { Mapping } from "../../kvm/mapping.ts";
import {
  allocateEntries,
  DIRTY,
  type Entries,
  ENTRY_WORDS,
  FLAGS,
  HARVESTED,
  OFFSET,
  SLOT,
} from "../../ring/entry.ts";
import { harvest, ringWords } from "../../ring/harvest.ts";
import { LIBC } from "../support/libc.ts";
import { liveTest, testUnless } from "../support/live.ts";
import { runLive, total } from "../support/live_runs.ts";

const RING_ENTRIES = 16384;
const NO_LIBC = Deno.build.os === "linux" && Deno.build.arch === "x86_64" ? null : "no libc here";

type Take = (words: Uint32Array<ArrayBuffer>, fetch: number, into: Entries) => number;

/** Harvests until so many entries are seen; answers how many were not the entry that is next. */
async function stale(entries: number, takeOf: (words: Uint32Array<ArrayBuffer>) => Take) {
  using memory = Mapping.anonymous(LIBC, RING_ENTRIES * ENTRY_WORDS * 4, "a ring");
  const { words } = memory;
  const take = takeOf(words);
  const into = allocateEntries(RING_ENTRIES);
  const worker = new Worker(new URL("../support/producer.ts", import.meta.url), { type: "module" });
  let error: string | null = null;
  const done = new Promise((resolve) => worker.onmessage = resolve);
  worker.onerror = (event) => {
    event.preventDefault();
    error = event.message;
  };
  worker.postMessage({ address: memory.address, bytes: memory.length, entries });
  let wrong = 0;
  for (let seen = 0, idle = 0; seen < entries;) {
    const taken = take(words, seen, into);
    for (let n = 0, at = 0; n < taken; n++, at += ENTRY_WORDS) {
      if (into.words[at + SLOT] !== 1 || into.words[at + OFFSET] !== seen + n) wrong++;
    }
    seen += taken;
    // Two that fight for each cache line get nowhere: some entries gather before the next look.
    if (taken < RING_ENTRIES / 4) {
      for (const until = performance.now() + 0.05; performance.now() < until;);
    }
    // The producer's module is loaded by the event loop.
    if (taken === 0 && ++idle % 10_000 === 0) await new Promise((r) => setTimeout(r, 0));
    if (error !== null) throw new Error(error);
  }
  await done;
  worker.terminate();
  return wrong;
}

testUnless(
  NO_LIBC,
  "harvest() beside a running producer reads five million entries as they were published",
  async () => {
    const found = await stale(5_000_000, (words) => {
      const ring = ringWords(words);
      return (_, fetch, into) => harvest(ring, fetch, RING_ENTRIES, into);
    });
    assertEquals(found, 0);
  },
);

// Copies before it looks at the flags: what is pushed between the two is taken with what stood there before. At the
// first call nothing is pushed yet, as the producer is a module that the event loop has still to load.
function harvestTooEarly(): Take {
  const copies = new Map<number, Uint32Array>();
  return (words, fetch, into) => {
    const first = (fetch % RING_ENTRIES) * ENTRY_WORDS;
    if (!copies.has(fetch)) copies.set(fetch, words.slice(first));
    let taken = 0;
    for (let at = first; at < words.length; at += ENTRY_WORDS) {
      if ((Atomics.load(words, at + FLAGS) & 3) !== DIRTY) break;
      words[at + FLAGS] = DIRTY | HARVESTED;
      taken++;
    }
    into.words.set(copies.get(fetch)!.subarray(0, taken * ENTRY_WORDS));
    into.length = taken;
    return taken;
  };
}

testUnless(NO_LIBC, "a harvest that reads entries before their flags is found out", async () => {
  assert(await stale(3 * RING_ENTRIES, harvestTooEarly) > 0);
});

for (const guest of ["real16", "long64"] as const) {
  liveTest(
    `live() harvests each entry as it was pushed, in the order of the stores (${guest})`,
    async () => {
      const result = await runLive({
        guest,
        memory: 32 << 20,
        pages: 8192,
        passes: 1,
        stores: 60_000,
        intervalMs: 1,
      });
      assertEquals([result.ok, result.problems], [true, []]);
      const { entries, missing, strange } = result.order!;
      assertEquals([entries, missing, strange], [total(result, "entries"), 0, 0]);
      assert(entries >= 60_000);
    },
  );
}
