import { assertEquals } from "@std/assert";
import { allocateEntries, dirtyEntries, entriesOf, nextHeld } from "../../ring/entry.ts";
import { harvest, Harvester, ringWords } from "../../ring/harvest.ts";
import fc from "../support/fast_check.ts";

const flagsOf = (words: Uint32Array) => Array.from(words).filter((_, n) => n % 4 === 0);

// A ring whose entry `n` has the flags given, slot 1 and offset n.
function ring(flags: readonly number[]): Uint32Array<ArrayBuffer> {
  return Uint32Array.from(flags.flatMap((flag, n) => [flag, 1, n, 0]));
}

// What harvest() must do, one entry at a time.
function naive(words: Uint32Array, fetch: number, limit: number): number[] {
  const size = words.length / 4;
  const taken: number[] = [];
  for (let n = fetch; taken.length < Math.min(limit, size); n++) {
    const at = (n % size) * 4;
    if ((words[at]! & 3) !== 1) break;
    taken.push(words[at + 2]!);
    words[at] = 3;
  }
  return taken;
}

Deno.test("harvest() agrees with the naive walk, whatever the flags, fetch index and limit", () => {
  const size = fc.constantFrom(1, 2, 8, 64, 128, 256, 512);
  const flag = fc.constantFrom(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 2, 3, 5);
  const shape = size.chain((n) =>
    fc.tuple(
      fc.oneof(
        fc.array(flag, { minLength: n, maxLength: n }),
        fc.constant(new Array<number>(n).fill(1)),
        fc.nat(n - 1).map((gap) => Array.from({ length: n }, (_, at) => at === gap ? 0 : 1)),
      ),
      fc.nat(3 * n),
      fc.nat(n + 2),
    )
  );
  fc.assert(
    fc.property(shape, ([flags, fetch, limit]) => {
      const words = ring(flags);
      const again = ring(flags);
      const into = allocateEntries(flags.length);
      harvest(ringWords(words), fetch, limit, into);
      const offsets = Array.from(into.words).filter((_, n) => n % 4 === 2).slice(0, into.length);
      assertEquals(offsets, naive(again, fetch, limit));
      assertEquals(words, again);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("harvest() never takes more than the ring holds, however many stay dirty", () => {
  // As if a running vCPU filled each entry again the moment that it is marked.
  const words = ring(new Array(128).fill(1));
  const into = allocateEntries(1000);
  assertEquals(harvest(ringWords(words), 5, 1000, into), 128);
});

Deno.test("Harvester wraps at the ring's size and its index at 2^32", () => {
  const words = ring([1, 1, 0, 0]);
  const harvester = new Harvester(words);
  assertEquals(harvester.take().length, 2);
  words.set([0, 1, 0, 0, 0, 1, 1, 0, 1, 1, 2, 0, 1, 1, 3, 0]); // reset, and two more
  assertEquals(harvester.take(1).length, 1);
  assertEquals(harvester.fetchIndex, 3);
  harvester.seek(0xffff_ffff);
  assertEquals(harvester.take().length, 1); // entry 3 of 4
  assertEquals(harvester.fetchIndex, 0);
});

Deno.test("Harvester leaves a gap and comes back to it", () => {
  const words = ring([1, 1, 1, 1]);
  const harvester = new Harvester(words);
  harvester.take(1);
  harvester.skip(1);
  harvester.take();
  assertEquals(flagsOf(words), [3, 1, 3, 3]);
  harvester.seek(1);
  assertEquals(harvester.take().length, 1);
  assertEquals(harvester.held, 4);
});

Deno.test("dirtyEntries() copies what is dirty and changes nothing", () => {
  const words = ring([1, 3, 0, 1, 2]);
  const found = dirtyEntries(words);
  assertEquals([found.length, found.words[2], found.words[6]], [2, 0, 3]);
  assertEquals(flagsOf(words), [1, 3, 0, 1, 2]);
});

Deno.test("nextHeld() finds an entry wherever it stands", () => {
  for (let held = 0; held < 40; held++) {
    const words = ring(Array.from({ length: 64 }, (_, n) => n === held ? 2 : 0));
    assertEquals(nextHeld(words, 0), held * 4);
    assertEquals(nextHeld(words, held * 4 + 4), 256);
  }
});

Deno.test("entriesOf() splits an offset into words, wrapping at 2^64", () => {
  assertEquals([...entriesOf([[7, (1n << 32n) + 5n], [1, -2n]]).words], [
    ...[0, 7, 5, 1],
    ...[0, 1, 0xffff_fffe, 0xffff_ffff],
  ]);
});
