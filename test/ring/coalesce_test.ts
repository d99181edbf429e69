import { assertEquals } from "@std/assert";
import {
  type Batch,
  coalesce,
  maskPages,
  resetCalls,
  type Rule,
  ruleOf,
  RULES,
} from "../../ring/coalesce.ts";
import { entriesOf } from "../../ring/entry.ts";
import fc from "../support/fast_check.ts";

type Pair = readonly [slot: number, offset: bigint];

function batches(list: readonly Pair[]): Batch[] {
  const found: Batch[] = [];
  coalesce(entriesOf(list), (batch) => found.push({ ...batch }));
  return found;
}

interface NaiveBatch {
  slot: number;
  base: bigint;
  mask: bigint;
  entries: number;
}

// The rule of kvm_dirty_ring_reset, spelled out with big integers: as slow and as plain as can be.
function naive(list: readonly Pair[]): NaiveBatch[] {
  const found: NaiveBatch[] = [];
  let open: NaiveBatch | undefined;
  for (const [slot, offset] of list) {
    const wide = BigInt.asUintN(64, offset);
    if (open !== undefined && open.slot === slot) {
      const delta = BigInt.asIntN(64, wide - open.base);
      if (delta >= 0n && delta < 64n) {
        open.mask |= 1n << delta;
        open.entries++;
        continue;
      }
      const shifted = delta < 0n && delta > -64n ? open.mask << -delta : null;
      if (shifted !== null && BigInt.asUintN(64, shifted) === shifted) {
        open.base = wide;
        open.mask = shifted | 1n;
        open.entries++;
        continue;
      }
    }
    open = { slot, base: wide, mask: 1n, entries: 1 };
    found.push(open);
  }
  return found;
}

function plain({ slot, offsetLow, offsetHigh, maskLow, maskHigh, entries }: Batch): NaiveBatch {
  const wide = (high: number, low: number) => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  return { slot, base: wide(offsetHigh, offsetLow), mask: wide(maskHigh, maskLow), entries };
}

const range = (from: number, to: number): Pair[] =>
  Array.from(
    { length: Math.abs(to - from) + 1 },
    (_, n) => [1, BigInt(from + Math.sign(to - from) * n)],
  );
const offsets = (...list: number[]): Pair[] => list.map((offset) => [1, BigInt(offset)]);

const VECTORS: readonly (readonly [string, Pair[], number])[] = [
  ["0..63", range(0, 63), 1],
  ["0..64", range(0, 64), 2],
  ["63..0", range(63, 0), 1],
  ["64..0", range(64, 0), 2],
  ["10, 73, 9", offsets(10, 73, 9), 2],
  ["10, 9, 73", offsets(10, 9, 73), 2],
  ["0, 64, 1", offsets(0, 64, 1), 2],
  ["0, 128, 1", offsets(0, 128, 1), 3],
  ["100, 37", offsets(100, 37), 1],
  ["100, 36", offsets(100, 36), 2],
  ["5, 5, 5", offsets(5, 5, 5), 1],
  ["A0, B0, A1", [[1, 0n], [2, 0n], [1, 1n]], 3],
  ["7, 5, 6, 300, 299, 1023", offsets(7, 5, 6, 300, 299, 1023), 3],
];

for (const [name, list, expected] of VECTORS) {
  Deno.test(`coalesce() makes ${expected} of ${name}`, () => {
    const found = batches(list);
    assertEquals(found.length, expected);
    assertEquals(found.reduce((sum, { entries }) => sum + entries, 0), list.length);
    assertEquals(naive(list).length, expected, "the naive implementation");
  });
}

Deno.test("coalesce() counts a duplicate and adds no page", () => {
  const [batch] = batches(offsets(5, 5, 5));
  assertEquals([batch!.entries, maskPages(batch!.maskLow, batch!.maskHigh)], [3, 1]);
});

Deno.test("coalesce() says why each batch ended", () => {
  const ends = (list: Pair[]) => batches(list).map(({ end }) => end);
  assertEquals(ends(offsets(0, 64)), ["forwardWindow", "ringEnd"]);
  assertEquals(ends(offsets(100, 36)), ["backwardWindow", "ringEnd"]);
  assertEquals(ends(offsets(10, 73, 9)), ["maskOverflow", "ringEnd"]);
  assertEquals(ends([[1, 0n], [2, 0n]]), ["otherSlot", "ringEnd"]);
  assertEquals(ends([[1, 0n], [0x10001, 0n]]), ["otherSlot", "ringEnd"]); // another address space
  assertEquals(ends([]), []);
});

Deno.test("coalesce() wraps at 2^64 as the kernel's u64 does", () => {
  // A forged offset of -1 is one page before 0; only the model may ever see one.
  assertEquals(batches([[1, -1n], [1, 0n]]).map(plain), [
    { slot: 1, base: 2n ** 64n - 1n, mask: 3n, entries: 2 },
  ]);
  assertEquals(batches([[1, 0n], [1, -1n]]).map(plain), [
    { slot: 1, base: 2n ** 64n - 1n, mask: 3n, entries: 2 },
  ]);
  assertEquals(batches([[1, 0n], [1, 1n << 32n]]).length, 2); // equal low words are not enough
});

// Offsets that fall into each other's windows often, and some that do not.
const offset = fc.oneof(
  fc.bigInt(0n, 200n),
  fc.bigInt(0n, 200n).map((n) => n + (1n << 32n) - 100n),
  fc.bigInt(-100n, 100n),
  fc.bigInt(0n, (1n << 64n) - 1n),
);
const entry = fc.tuple(fc.constantFrom(1, 1, 1, 1, 2, 0x10001), offset);

Deno.test("coalesce() agrees with the naive implementation on random input", () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 80 }), (list) => {
      assertEquals(batches(list).map(plain), naive(list));
    }),
    { numRuns: 3000 },
  );
});

Deno.test("maskPages() counts bits", () => {
  fc.assert(fc.property(fc.integer(), fc.integer(), (low, high) => {
    const bits = (word: number) => (word >>> 0).toString(2).replaceAll("0", "").length;
    assertEquals(maskPages(low, high), bits(low) + bits(high));
  }));
});

Deno.test("resetCalls() counts the empty first call up to v6.16, also of an empty window", () => {
  const calls = (rule: Rule) => [resetCalls(rule, 3, 1), resetCalls(rule, 0, 2)];
  assertEquals(RULES.map(calls), [[4, 2], [4, 2], [3, 0]]);
});

Deno.test("ruleOf() takes the newest rule that is not newer than the release", () => {
  const releases = [
    "5.11.0",
    "6.1.55-rt",
    "6.9.12",
    "6.10.0-rc1",
    "6.16.3",
    "6.17.0",
    "7.0.0",
    "?",
  ];
  assertEquals(releases.map(ruleOf), [
    "v5.11",
    "v5.11",
    "v5.11",
    "v6.10",
    "v6.10",
    "v6.17",
    "v6.17",
    "v6.17",
  ]);
});
