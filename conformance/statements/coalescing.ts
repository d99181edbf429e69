// Checks of how a reset gathers entries into batches: `kvm_dirty_ring_reset` and its calls of
// `kvm_reset_dirty_gfn`.
import type { ResetCall } from "../../ffi/insight.ts";
import { seeded } from "../../guest/pattern.ts";
import type { Check } from "../kit/check.ts";
import type { CheckHost } from "../kit/check_host.ts";
import { CheckSkip, expect, expectThat, RING } from "../kit/expect.ts";
import { forgeEntries, type Place, storeTo } from "../kit/forged.ts";
import {
  batchesOf,
  CoalescingWitness,
  pastTheSlot,
  randomWalk,
  WITNESS_PAGES,
} from "./coalescing_witness.ts";

/** Length of the random sequence that is put to the model. */
const RANDOM_ENTRIES = 400;
/** How many random sequences are put to a live kernel. */
const RANDOM_WALKS = 60;
/** Bits 0 and 63: pages 63 apart. */
const ENDS = 0x8000_0000_0000_0001n;

type Expected = readonly (readonly [slot: number, offset: bigint, mask: bigint])[];

// Offsets in slot 1; a negative one stands for one near 2^64.
const offsets = (...list: readonly (number | bigint)[]): Place[] => list.map((one) => [1, one]);

// Expected calls in slot 1: offset and mask.
const calls = (...list: readonly (readonly [bigint, bigint])[]): Expected =>
  list.map(([offset, mask]) => [1, offset, mask]);

function named(expected: Expected): ResetCall[] {
  return expected.map(([slot, offset, mask]) => ({
    slot,
    offset: BigInt.asUintN(64, offset),
    mask,
  }));
}

function placesText(places: readonly Place[]): string {
  return places.map(([slot, offset]) => `${slot}:${offset}`).join(" ");
}

// Compares the batches made of one vCPU's entries. Calls with an empty mask are left out here: the
// `coalesce.calls-*` checks cover them.
function expectBatches(host: CheckHost, places: readonly Place[], expected: Expected): void {
  const seen = resetCallsOf(host, [places]).filter(({ mask }) => mask !== 0n);
  expect(`batches of ${placesText(places)}`, callTexts(seen), callTexts(named(expected)));
}

// Compares all calls, including those with an empty mask, for one and for two rings. Harvested
// entries are in the first ring or in none.
function expectCalls(host: CheckHost, empty: Expected): void {
  const places: readonly Place[] = [[1, 10], [1, 11], [1, 500], [2, 11]];
  const batches: Expected = [[1, 10n, 3n], [1, 500n, 1n], [2, 11n, 1n]];
  const cases: readonly (readonly [string, readonly (readonly Place[])[], Expected])[] = [
    ["for three batches", [places], [...empty, ...batches]],
    ["where nothing is harvested", [[]], empty],
    ["for three batches and an empty ring", [places, []], [...empty, ...batches, ...empty]],
    ["for two empty rings", [[], []], [...empty, ...empty]],
  ];
  for (const [what, rings, expected] of cases) {
    const seen = resetCallsOf(host, rings);
    expect(`calls ${what}`, callTexts(seen), callTexts(named(expected)));
  }
}

// Before v6.17 a walk begins with a call that names nothing.
const EMPTY_CALL: Expected = [[0, 0n, 0n]];

function needsBetween(host: CheckHost, from: string, until: string): void {
  const { release } = host;
  if (!host.since(from) || host.since(until)) {
    throw new CheckSkip(`of Linux ${from} and newer up to before ${until}, this is ${release}`);
  }
}

/** The statements of "Coalescing". */
export const COALESCING_CHECKS: readonly Check[] = [
  {
    id: "coalesce.start",
    statement: "a batch starts with base = offset and mask = 1",
    source: RING,
    where: "model",
    run(host) {
      expectBatches(host, offsets(42), calls([42n, 1n]));
      expectBatches(host, offsets(0), calls([0n, 1n]));
      expectBatches(host, offsets(-1n), calls([-1n, 1n]));
      // The second batch starts like the first, whatever the first has gathered.
      expectBatches(host, offsets(10, 12, 500), calls([10n, 5n], [500n, 1n]));
    },
  },
  {
    id: "coalesce.forward",
    statement: "in the same slot, a page 0 to 63 ahead of the base joins the mask",
    source: RING,
    where: "model",
    run(host) {
      expectBatches(host, offsets(10, 11), calls([10n, 3n]));
      expectBatches(host, offsets(10, 41, 42), calls([10n, 0x1_8000_0001n]));
      expectBatches(host, offsets(10, 73), calls([10n, ENDS]));
      expectBatches(host, offsets(10, 74), calls([10n, 1n], [74n, 1n]));
      // The distance is measured from the base, not from the last entry.
      expectBatches(host, offsets(10, 70, 71, 74), calls([10n, 0x3000_0000_0000_0001n], [74n, 1n]));
      // All 64 bits count, and they wrap.
      expectBatches(host, offsets(0, 2n ** 32n), calls([0n, 1n], [2n ** 32n, 1n]));
      expectBatches(host, offsets(2n ** 32n - 1n, 2n ** 32n), calls([2n ** 32n - 1n, 3n]));
      expectBatches(host, offsets(-10n, 53), calls([-10n, ENDS]));
      expectBatches(host, offsets(-10n, 54), calls([-10n, 1n], [54n, 1n]));
    },
  },
  {
    id: "coalesce.duplicate",
    statement: "the same page again adds no bit, and is counted as reset",
    source: RING,
    where: "model",
    run(host) {
      // `resetCallsOf` also expects that the reset counts every entry.
      expectBatches(host, offsets(5, 5, 5), calls([5n, 1n]));
      expectBatches(host, offsets(5, 6, 6, 5), calls([5n, 3n]));
      expectBatches(host, offsets(-1n, -1n), calls([-1n, 1n]));
    },
  },
  {
    id: "coalesce.backward",
    statement: "in the same slot, a page 1 to 63 behind the base joins it if the mask, shifted, " +
      "loses no bit",
    source: RING,
    where: "model",
    run(host) {
      expectBatches(host, offsets(11, 10), calls([10n, 3n]));
      expectBatches(host, offsets(100, 37), calls([37n, ENDS]));
      expectBatches(host, offsets(100, 36), calls([100n, 1n], [36n, 1n]));
      // One step back, once with 62 as the mask's highest bit and once with 63.
      expectBatches(host, offsets(10, 72, 9), calls([9n, 0x8000_0000_0000_0003n]));
      expectBatches(host, offsets(10, 73, 9), calls([10n, ENDS], [9n, 1n]));
      expectBatches(host, offsets(50, 51, 19), calls([19n, 0x1_8000_0001n]));
      expectBatches(host, offsets(100, 101, 38), calls([38n, 0xc000_0000_0000_0001n]));
      expectBatches(host, offsets(100, 101, 37), calls([100n, 3n], [37n, 1n]));
      // The base has moved back, and distances count from the new base.
      expectBatches(host, offsets(10, 9, 73), calls([9n, 3n], [73n, 1n]));
      expectBatches(host, offsets(0, -1n), calls([-1n, 3n]));
      expectBatches(host, offsets(0, -63n), calls([-63n, ENDS]));
      expectBatches(host, offsets(0, -64n), calls([0n, 1n], [-64n, 1n]));
      expectBatches(host, offsets(0, 2n ** 63n), calls([0n, 1n], [2n ** 63n, 1n]));
    },
  },
  {
    id: "coalesce.flush",
    statement: "anything else, or another slot, ends the batch; the last is flushed at the end",
    source: RING,
    where: "model",
    run(host) {
      expectBatches(host, [[1, 0], [2, 0], [1, 1]], [[1, 0n, 1n], [2, 0n, 1n], [1, 1n, 1n]]);
      // The same id in another address space.
      expectBatches(host, [[1, 0], [0x1_0001, 1]], [[1, 0n, 1n], [0x1_0001, 1n, 1n]]);
      // A batch never spans two rings.
      const [one, other] = [offsets(10, 11), offsets(12, 300)];
      const both = resetCallsOf(host, [one, other]).filter(({ mask }) => mask !== 0n);
      const expected = named(calls([10n, 3n], [12n, 1n], [300n, 1n]));
      expect("batches of two rings", callTexts(both), callTexts(expected));
      for (const { text, entries, batches } of COALESCING_VECTORS) {
        const seen = resetCallsOf(host, [entries]).filter(({ mask }) => mask !== 0n);
        expect(`number of batches of ${text}`, seen.length, batches);
        expect(`batches of ${text}`, callTexts(seen), callTexts(batchesOf(entries)));
      }
      const places = randomPlaces(1);
      const seen = resetCallsOf(host, [places]).filter(({ mask }) => mask !== 0n);
      expect("batches of a random sequence", callTexts(seen), callTexts(batchesOf(places)));
      return `${COALESCING_VECTORS.length} vectors; ${places.length} random entries in ` +
        `${seen.length} batches`;
    },
  },
  {
    id: "coalesce.calls-v5.11",
    statement: "v5.11 to v6.9: a walk makes a call with an empty mask and one for each batch",
    source: `v5.11 to v6.9, ${RING}`,
    where: "model",
    run(host) {
      needsBetween(host, "5.11", "6.10");
      expectCalls(host, EMPTY_CALL);
    },
  },
  {
    id: "coalesce.calls-v6.10",
    statement: "v6.10 to v6.16: the same calls, of which that with an empty mask returns at once",
    source: `v6.10 to v6.16, ${RING}`,
    where: "model",
    run(host) {
      needsBetween(host, "6.10", "6.17");
      expectCalls(host, EMPTY_CALL);
    },
  },
  {
    id: "coalesce.calls-v6.17",
    statement: "from v6.17: a walk makes a call for each batch, none when nothing is harvested",
    source: `v6.17, ${RING}`,
    where: "model",
    run(host) {
      host.needs("6.17");
      expectCalls(host, []);
    },
  },
  {
    id: "coalesce.live-witness",
    statement: "real batches, which drop their pages together, fall where the rule says",
    source: RING,
    where: "live",
    run(host) {
      const witness = new CoalescingWitness(host.machine({ hostPages: 2 * WITNESS_PAGES }));
      const random = seeded(1);
      const sequences = [
        ...COALESCING_VECTORS.flatMap(({ entries }) => pastTheSlot(entries)),
        ...Array.from({ length: RANDOM_WALKS }, () => randomWalk(random)),
      ];
      let again = 0;
      let silent = 0;
      for (const sequence of sequences) {
        const shown = witness.show(sequence);
        again += shown.again;
        silent += shown.silent;
      }
      // A sequence in which no batch is dropped shows nothing; neither does one in which all are.
      expectThat("pages of dropped batches", silent > 300, "more than 300", silent);
      expectThat("pages of other batches", again > 300, "more than 300", again);
      return `${sequences.length} sequences: ${again} pages pushed again, ${silent} silent`;
    },
  },
];

// A random walk around 0, so on both sides of 2^64. Its steps lie at the limits of what a mask can
// reach, or are small ones that fill it; some are multiples of 2^32, which do not change the low
// word.
function randomPlaces(seed: number): Place[] {
  const random = seeded(seed);
  const steps = [0, 1, 1, 2, 3, 17, 31, 32, 33, 62, 63, 64, 65, 1000];
  let offset = 0n;
  let slot = 1;
  return Array.from({ length: RANDOM_ENTRIES }, (): Place => {
    const place = [slot, BigInt.asUintN(64, offset)] as const;
    if (random(12) === 0) slot = 1 + random(3);
    offset += BigInt(steps[random(steps.length)]! * (random(2) === 0 ? 1 : -1));
    if (random(20) === 0) offset += BigInt(random(5) - 2) << 32n;
    return place;
  });
}

/** Bytes of a ring with room for 400 entries, also with PML. */
const RING_BYTES = 16384;

/**
 * The `kvm_reset_dirty_gfn` calls of one reset over rings with forged entries. Only the model can
 * report them, and only the model may be given any offset.
 *
 * @param rings The entries of each vCPU's ring; at most 400 each.
 * @returns The calls in order, including those with an empty mask.
 * @throws {CheckSkip} On a real kernel, before anything is written.
 * @throws {CheckFailure} Where the reset does not count all entries.
 */
function resetCallsOf(host: CheckHost, rings: readonly (readonly Place[])[]): ResetCall[] {
  const { insight } = host;
  const machine = host.machine({
    vcpus: rings.length,
    ringBytes: RING_BYTES,
    pages: 1024,
    hostPages: 1024,
  });
  let page = machine.gfn;
  rings.forEach((places, vcpu) => {
    storeTo(machine, places.map(() => page++), vcpu);
    forgeEntries(machine, places, vcpu);
    machine.harvest(vcpu);
  });
  const count = rings.reduce((sum, { length }) => sum + length, 0);
  expect("entries reset", machine.reset(), count);
  return [...insight.resetCalls(machine.vm.fd)];
}

/** Calls as text, a line for each: `1:10 0x3` is slot 1, offset 10 and two pages. */
function callTexts(calls: readonly ResetCall[]): string[] {
  return calls.map(({ slot, offset, mask }) => `${slot}:${offset} 0x${mask.toString(16)}`);
}

/** A sequence of entries whose number of batches is documented. */
export interface CoalescingVector {
  /** The offsets in ring order, in the notation of docs/abi.md. */
  readonly text: string;
  /** The entries: slot A is 1, slot B is 2. */
  readonly entries: readonly (readonly [slot: number, offset: number])[];
  /** The number of batches that a reset makes of them. */
  readonly batches: number;
}

/** The slot that docs/abi.md calls A; also used where it names none. */
const A = 1;
/** The slot that docs/abi.md calls B. */
const B = 2;

// Offsets from one to the other, both inclusive, upwards or downwards.
function span(from: number, to: number): number[] {
  const step = Math.sign(to - from);
  return Array.from({ length: Math.abs(to - from) + 1 }, (_, n) => from + n * step);
}

function one(text: string, offsets: readonly number[], batches: number): CoalescingVector {
  return { text, entries: offsets.map((offset) => [A, offset]), batches };
}

/** The vectors of docs/abi.md, in its order. */
export const COALESCING_VECTORS: readonly CoalescingVector[] = [
  one("0..63", span(0, 63), 1),
  one("0..64", span(0, 64), 2),
  one("63..0", span(63, 0), 1),
  one("64..0", span(64, 0), 2),
  one("10, 73, 9", [10, 73, 9], 2),
  one("10, 9, 73", [10, 9, 73], 2),
  one("10, 73, 10, 9", [10, 73, 10, 9], 2),
  one("0, 64, 1", [0, 64, 1], 2),
  one("0, 128, 1", [0, 128, 1], 3),
  one("100, 37", [100, 37], 1),
  one("100, 36", [100, 36], 2),
  one("5, 5, 5", [5, 5, 5], 1),
  { text: "A0, B0, A1", entries: [[A, 0], [B, 0], [A, 1]], batches: 3 },
  one("7, 5, 6, 300, 299, 1023", [7, 5, 6, 300, 299, 1023], 3),
];
