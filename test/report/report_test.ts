import { assertEquals } from "@std/assert";
import { readEntries } from "../../commands/dump/dump.ts";
import { dumpCsv, dumpNdjson } from "../../commands/dump/dump_csv.ts";
import { dumpText, flagsText, ringFullNote } from "../../commands/dump/dump_text.ts";
import { modeText } from "../../commands/probe/probe.ts";
import { jsonText } from "../../report/json.ts";
import { lostText } from "../../report/notes.ts";
import { countText, numberText, sizeText, table, timeText } from "../../report/table.ts";

const SLOTS = [
  { id: 0, addressSpace: 0, gfn: 0, pages: 4, logged: false },
  { id: 1, addressSpace: 0, gfn: 4, pages: 8, logged: true },
];
// dirty, harvested, forged beyond the slot, forged beyond 2^53, invalid
const WORDS = Uint32Array.of(
  ...[1, 1, 3, 0],
  ...[3, 1, 4, 0],
  ...[1, 1, 8, 0],
  ...[1, 0x10001, 0xffff_ffff, 0xffff_ffff],
  ...[0, 0, 0, 0],
);

Deno.test("readEntries() names slots, frames and states, exactly up to 64 bits", () => {
  const dirty = readEntries(WORDS, SLOTS, false);
  assertEquals(dirty.map(({ index, offset, gfn }) => [index, offset, gfn]), [
    [0, 3, 7],
    [2, 8, null],
    [3, "18446744073709551615", null],
  ]);
  assertEquals(dirty[2]!.addressSpace, 1);
  const all = readEntries(WORDS, SLOTS, true);
  assertEquals(all.map(({ state }) => state), ["dirty", "harvested", "dirty", "dirty", "invalid"]);
});

const DUMP = {
  schema: "dirtyring.dump/1" as const,
  kernel: {
    backend: "kvm" as const,
    model: null,
    release: "6.18",
    module: "kvm_pvm",
    ringMaxBytes: 1048576,
  },
  lab: {
    guest: "real16" as const,
    vcpus: 1,
    memory: 32768,
    slots: 1,
    ring: 256,
    pattern: "sequential",
    pages: 300,
    rounds: 1,
    seed: 1,
  },
  slots: SLOTS,
  rings: [{
    vcpu: 0,
    exit: "KVM_EXIT_DIRTY_RING_FULL" as const,
    done: false,
    stores: 4,
    kernelState: null,
    entries: readEntries(WORDS, SLOTS, true),
  }],
  lost: { count: 0, pages: [] },
  ok: true,
  interrupted: null,
};

Deno.test("dumpText() says how many entries it left out, and that the ring is full", () => {
  const text = [...dumpText(DUMP, { limit: 2 })].join("");
  assertEquals(text.split("\n").slice(3), [
    "        slot 0, below gfn 0x4, holds the guest's code and lists: it is not logged",
    "",
    "vCPU 0  KVM_EXIT_DIRTY_RING_FULL after 4 stores, 3 dirty of 5 entries",
    "  index  flags        as  slot  offset  gfn     gpa",
    "      0  DIRTY         0     1       3  0x7  0x7000",
    "      1  DIRTY|RESET   0     1       4  0x8  0x8000",
    "  3 entries left out by --limit",
    "  vCPU 0: the ring is full after 4 stores, the rest is not made (see dirtyring run)",
    "",
  ]);
});

Deno.test("dumpText() says that a signal ended it early", () => {
  const text = [...dumpText({ ...DUMP, interrupted: "SIGINT" }, { limit: 2 })].join("");
  assertEquals(text.split("\n").slice(-3), ["", "interrupted by SIGINT: figures up to there", ""]);
});

Deno.test("a full ring whose last store is not made yet says so", () => {
  const ring = { ...DUMP.rings[0]!, stores: 2 };
  assertEquals(
    ringFullNote(ring),
    "vCPU 0: the ring is full after 2 stores; that of the last entry is not made yet, nor is the rest " +
      "(see dirtyring run)",
  );
});

Deno.test("dumpCsv() and dumpNdjson() hold the same entries", () => {
  const csv = [...dumpCsv(DUMP)].join("").trim().split("\n");
  assertEquals(csv[1], "0,0,1,dirty,0,1,3,7");
  assertEquals(csv[4], "0,3,1,dirty,1,1,18446744073709551615,");
  const lines = [...dumpNdjson(DUMP)].map((line) => JSON.parse(line));
  assertEquals(lines.length, csv.length - 1);
  assertEquals(Object.keys(lines[0]).join(), csv[0]);
});

Deno.test("jsonText() writes what JSON.stringify() does, long lists in pieces", () => {
  const entry = { index: 1, state: "dirty", none: undefined, list: [], inner: { a: [1, null] } };
  for (const length of [0, 3, 1001, 5000]) {
    const value = {
      schema: "x/1",
      rings: [{ vcpu: 0, entries: new Array(length).fill(entry) }, "ü"],
    };
    const found = [...jsonText(value)];
    assertEquals(found.join(""), `${JSON.stringify(value, null, 2)}\n`);
    assertEquals(found.length > length, length > 1000 || length === 0);
  }
});

Deno.test("flagsText() names the flags", () => {
  assertEquals([0, 1, 2, 3, 5].map(flagsText), ["-", "DIRTY", "RESET", "DIRTY|RESET", "DIRTY|0x4"]);
});

Deno.test("lostText() lists ten pages and counts the rest", () => {
  const page = {
    slot: 1,
    offset: 1,
    gfn: 5,
    vcpu: 1,
    counter: 9,
    read: null,
    cause: "never harvested",
  };
  const lines = [...lostText({ count: 12, pages: new Array(12).fill(page) })];
  assertEquals([lines.length, lines[0], lines.at(-1)], [
    12,
    "LOST: 12 pages hold a store that no entry announced\n",
    "  and 2 more (--format json lists up to 100)\n",
  ]);
  assertEquals(
    lines[1],
    "  slot 1, offset 1, gfn 0x5: store 9 of vCPU 1, nothing was read there; most likely its " +
      "entry was never pushed, or not harvested\n",
  );
  assertEquals([...lostText({ count: 0, pages: [] })], []);
});

Deno.test("units are exact where they can be", () => {
  assertEquals(["0 bytes", "1 KiB", "1.5 GiB"], [0, 1024, 1.5 * 2 ** 30].map(sizeText));
  assertEquals(["0.500 ns", "100 ns", "1.00 µs", "2.50 ms", "3.00 s"], [
    ...[0.5, 99.96, 1000, 2.5e6, 3e9].map(timeText),
  ]);
  assertEquals([numberText(null), numberText(64), numberText(1.25)], ["-", "64", "1.25"]);
  assertEquals([countText(1, "entry", "entries"), countText(0, "page")], ["1 entry", "0 pages"]);
});

Deno.test("table() aligns columns and leaves no space at the ends of lines", () => {
  const lines = [...table([["a", "b", ""], ["long", "1", "x"]], ["left", "right", "left"], " ")];
  assertEquals(lines, [" a     b\n", " long  1  x\n"]);
});

Deno.test("modeText() writes a mode as ls does", () => {
  assertEquals([0o020600, 0o100644, 0o040777].map(modeText), [
    "crw-------",
    "-rw-r--r--",
    "drwxrwxrwx",
  ]);
});
