import { assert, assertEquals, assertThrows } from "@std/assert";
import { HandOver } from "../../drive/hand_over.ts";
import type { LiveVcpus } from "../../drive/live_vcpus.ts";
import { Reaper } from "../../drive/reaper.ts";
import { KernelError } from "../../ffi/errors.ts";
import { Witness } from "../../memory/witness.ts";
import { openModel } from "../../model/model_kernel.ts";
import { entriesOf, ENTRY_WORDS, OFFSET } from "../../ring/entry.ts";
import { makeLab } from "../support/labs.ts";
import { liveTest, RING_ENTRIES } from "../support/live.ts";
import { runLive, total } from "../support/live_runs.ts";

const TIMES = { harvestNs: 1, resetNs: 2 };

Deno.test("HandOver brings rings over in order, through many turns of its slots", () => {
  const thread = new HandOver(4096);
  const harvester = new HandOver(4096, thread.buffer);
  const seen: number[] = [];
  const collect = () => {
    for (const { entries, reset } of harvester.take(harvester.head)) {
      assertEquals(entries.length, reset);
      seen.push(entries.words[OFFSET]!, entries.words[ENTRY_WORDS + OFFSET]!);
    }
  };
  for (let n = 0; n < 9; n++) {
    thread.put(entriesOf([[1, n], [1, n + 100]]), { reset: 2, ...TIMES }, performance.now());
    if (n % 2 === 1) collect();
  }
  collect();
  assertEquals(seen, Array.from({ length: 9 }, (_, n) => [n, n + 100]).flat());
});

Deno.test("HandOver has room for as many small rings as may fill up before anybody looks", () => {
  const small = new HandOver(256);
  for (let n = 0; n < 32; n++) {
    assert(small.hasRoom, `${n}`);
    small.put(entriesOf([[1, n]]), { reset: 1, ...TIMES }, 0);
  }
  assertEquals(small.hasRoom, false);
  const first = small.take(small.head).next().value!;
  assertEquals([first.entries.length, small.hasRoom], [1, true]);
});

function reaperWith(handOver: HandOver) {
  const lab = makeLab({}, openModel({ version: "latest", pml: false, emulator: false }));
  const witness = new Witness(lab.memory, lab.pages);
  const reaper = new Reaper(lab, witness, { sort: false });
  // Nothing of the vCPUs is needed but the lock, which nobody else wants here.
  reaper.attach({ exclusively: (work: () => unknown) => work() } as LiveVcpus, [handOver]);
  return { lab, witness, reaper };
}

Deno.test("Reaper reads and counts what a thread handed over", () => {
  const handOver = new HandOver(RING_ENTRIES);
  const { lab, witness, reaper } = reaperWith(handOver);
  using _lab = lab;
  lab.memory[5 * 1024] = 9;
  handOver.put(entriesOf([[1, 5]]), { reset: 1, ...TIMES }, performance.now());
  reaper.collect();
  witness.checkAll();
  assertEquals([witness.lost.count, reaper.rings[0]!.entries, reaper.resetEntries], [0, 1, 1]);
  assertEquals([reaper.servedByThreads, reaper.servedNs.count], [[1], 1]);
});

Deno.test("Reaper notices a thread's reset of too few entries, or failed", () => {
  const handOver = new HandOver(RING_ENTRIES);
  const { lab, reaper } = reaperWith(handOver);
  using _lab = lab;
  handOver.put(entriesOf([[1, 5], [1, 6]]), { reset: 1, ...TIMES }, 0);
  reaper.collect();
  assertEquals(reaper.problems.list, [
    "KVM_RESET_DIRTY_RINGS returned 1, but 2 entries were harvested",
  ]);
  assertEquals(reaper.servedByThreads, [0]);
  handOver.put(entriesOf([[1, 5]]), { reset: -5, ...TIMES }, 0);
  assertThrows(() => reaper.collect(), KernelError, "EIO");
});

liveTest(
  "live() on small rings is served by the vCPUs' own threads, and sorted by the harvester",
  async () => {
    // The harvester comes so seldom that rings fill up before.
    const lab = { guest: "long64", memory: 16 << 20, pages: 4096 } as const;
    const options = { ...lab, stores: 20_000, intervalMs: 1000 };
    for (const sort of [false, true]) {
      const result = await runLive({ ...options, sort });
      assertEquals([result.ok, result.lost.count], [true, 0]);
      assert(total(result, "fullExits") > 50 && result.fullStop.count > 50);
      assertEquals(result.resetEntries, total(result, "entries"));
      assertEquals(result.vcpus.every(({ stoppedNs }) => stoppedNs > 0), true);
    }
  },
);
