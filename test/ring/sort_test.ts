// Sorting in the ring (`slot.rewritten-order`): what it may change, and what it must leave alone.
import { assert, assertEquals } from "@std/assert";
import { Harvester } from "../../ring/harvest.ts";
import { radixSort, RingSorter } from "../../ring/sort.ts";
import fc from "../support/fast_check.ts";

type Words = Uint32Array<ArrayBuffer>;
type Page = readonly [slot: number, offset: bigint];

const pageAt = (words: Uint32Array, n: number): Page => [
  words[n * 4 + 1]!,
  (BigInt(words[n * 4 + 3]!) << 32n) | BigInt(words[n * 4 + 2]!),
];

function bySlotAndOffset([a, x]: Page, [b, y]: Page): number {
  return a - b || (x < y ? -1 : x > y ? 1 : 0);
}

function ring(entries: readonly { flags: number; slot: number; offset: bigint }[]): Words {
  const words = new Uint32Array(entries.length * 4);
  entries.forEach(({ flags, slot, offset }, n) => {
    words.set([flags, slot, Number(offset & 0xffff_ffffn), Number(offset >> 32n)], n * 4);
  });
  return words;
}

// What takeSorted() must leave behind, by a sort that knows nothing of keys or digits.
function expected(words: Words, fetch: number, limit: number): { words: Words; taken: Page[] } {
  const size = words.length / 4;
  const places: number[] = [];
  for (let n = fetch % size; places.length < Math.min(limit, size); n = (n + 1) % size) {
    if ((words[n * 4]! & 3) !== 1) break;
    places.push(n);
  }
  const taken = places.map((n) => pageAt(words, n)).sort(bySlotAndOffset);
  const after = words.slice();
  places.forEach((n, rank) => {
    const [slot, offset] = taken[rank]!;
    after.set([3, slot, Number(offset & 0xffff_ffffn), Number(offset >> 32n)], n * 4);
  });
  return { words: after, taken };
}

function check(words: Words, fetch: number, limit: number): void {
  const wanted = expected(words, fetch, limit);
  const harvester = new Harvester(words);
  harvester.seek(fetch);
  const { length, words: copied } = harvester.takeSorted(limit);
  const taken = Array.from({ length }, (_, n) => pageAt(copied, n));
  assertEquals(taken, wanted.taken);
  assertEquals(words, wanted.words);
  assertEquals(harvester.fetchIndex, (fetch + length) >>> 0);
}

const size = fc.constantFrom(1, 2, 8, 64, 128, 256);
// Mostly dirty, and beside it all that a ring can hold, foreign bits included.
const flags = fc.constantFrom(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 2, 3, 5);
const genuine = fc.record({
  slot: fc.constantFrom(0, 1, 2, 7, 0x10001, 0x1fffff),
  offset: fc.oneof(fc.bigInt(0n, 200n), fc.bigInt(0n, 0x7fff_ffffn)),
});
const forged = fc.record({
  slot: fc.oneof(fc.constantFrom(0, 1, 0xffff_ffff, 0x8000_0000), fc.nat(0xffff_ffff)),
  offset: fc.bigInt(0n, 2n ** 64n - 1n),
});

for (
  const [name, page] of [
    ["genuine", genuine],
    ["genuine and forged", fc.oneof({ weight: 20, arbitrary: genuine }, forged)],
    ["of one slot", fc.record({ slot: fc.constant(3), offset: fc.bigInt(0n, 5000n) })],
    [
      "of one slot, of 32 bits",
      fc.record({
        slot: fc.constant(5),
        offset: fc.bigInt(0n, 0xffff_ffffn),
      }),
    ],
    ["alike", fc.constant({ slot: 9, offset: 0n })],
    [
      "of forged slots at offset 0",
      fc.record({
        slot: fc.nat(0xffff_ffff),
        offset: fc.constant(0n),
      }),
    ],
  ] as const
) {
  Deno.test(`takeSorted() sorts what it takes and touches nothing else: entries ${name}`, () => {
    const shape = size.chain((n) =>
      fc.tuple(
        fc.array(fc.tuple(flags, page), { minLength: n, maxLength: n }),
        fc.oneof(fc.nat(3 * n), fc.constantFrom(0xffff_ffff, 0xffff_ffff - (n >> 1))),
        fc.nat(n + 2),
      )
    );
    fc.assert(
      fc.property(shape, ([entries, fetch, limit]) => {
        check(ring(entries.map(([flags, page]) => ({ flags, ...page }))), fetch, limit);
      }),
      { numRuns: 500 },
    );
  });
}

Deno.test("takeSorted() sorts a full large ring from any place on, many slots and few", () => {
  const full = fc.tuple(fc.nat(4095), fc.nat(12), fc.nat(19), fc.infiniteStream(fc.nat()));
  fc.assert(
    fc.property(full, ([fetch, slotBits, offsetBits, stream]) => {
      const next = () => stream.next().value!;
      check(
        ring(Array.from({ length: 4096 }, () => ({
          flags: 1,
          slot: 64 + next() % 2 ** slotBits,
          offset: BigInt(next() % 2 ** offsetBits),
        }))),
        fetch,
        4096,
      );
    }),
    { numRuns: 20 },
  );
});

// A ring that notes every write to it: which word, and the value.
function watched(words: Words): { words: Words; writes: [number, number][] } {
  const writes: [number, number][] = [];
  const proxy = new Proxy(words, {
    get(target, name) {
      // A method needs the array itself; what it would write is then not seen, so there must be none.
      const value: unknown = Reflect.get(target, name);
      assert(typeof value !== "function", `${String(name)}() is called on the ring`);
      return value;
    },
    set(target, name, value: number) {
      writes.push([Number(name), value]);
      return Reflect.set(target, name, value);
    },
  });
  return { words: proxy, writes };
}

Deno.test("RingSorter writes slots and offsets of the run, never flags, and nothing in order", () => {
  const entries = [9n, 4n, 7n, 1n].map((offset) => ({ flags: 1, slot: 1, offset }));
  const { words, writes } = watched(ring([...entries, { flags: 0, slot: 1, offset: 0n }]));
  const sorter = new RingSorter(words);
  assertEquals(sorter.sort(0, 5), 4);
  assert(writes.length > 0 && writes.every(([at]) => at < 16 && at % 4 !== 0));
  writes.length = 0;
  assertEquals(sorter.sort(0, 5), 4);
  assertEquals(writes, [], "what is in order is not written again");
});

Deno.test("takeSorted() leaves alone what is pushed behind the run while it sorts", () => {
  // Entry 4 becomes dirty after the walk has passed it, as a running vCPU could make it.
  const entries = [5n, 3n, 2n, 1n].map((offset) => ({ flags: 1, slot: 1, offset }));
  const words = ring([...entries, ...new Array(4).fill({ flags: 0, slot: 1, offset: 0n })]);
  const harvester = new Harvester(words);
  const sort = RingSorter.prototype.sort;
  try {
    RingSorter.prototype.sort = function (fetch, limit) {
      const run = sort.call(this, fetch, limit);
      words.set([1, 1, 0, 0], 16);
      return run;
    };
    assertEquals(harvester.takeSorted().length, 4);
  } finally {
    RingSorter.prototype.sort = sort;
  }
  assertEquals([words[16], harvester.fetchIndex], [1, 4]);
  assertEquals(harvester.takeSorted().length, 1);
});

Deno.test("radixSort() sorts as the arrays' own sort does, few words and many, of any width", () => {
  const shape = fc.tuple(
    fc.constantFrom(0, 1, 2, 999, 1000, 1001, 3000),
    fc.constantFrom(1, 9, 11, 12, 22, 23, 31, 32, 32),
    fc.infiniteStream(fc.nat(0xffff_ffff)),
  );
  fc.assert(
    fc.property(shape, ([length, bits, stream]) => {
      const keys = Uint32Array.from(
        { length: length + 3 },
        () => stream.next().value! % 2 ** bits,
      );
      const wanted = keys.slice(0, length).sort();
      const found = radixSort(keys, length, new Uint32Array(length), bits);
      assertEquals(found.subarray(0, length), wanted);
    }),
    { numRuns: 60 },
  );
});
