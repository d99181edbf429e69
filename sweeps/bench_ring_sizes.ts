import type { Interrupt } from "../lab/interrupt.ts";
import { spreadOf } from "./spread.ts";
import { takeTurns, type Turn } from "./take_turns.ts";

/** The guest of the ring-size sweep, and how it is harvested while it runs. */
export interface RingSizeGuest {
  /** vCPUs, each of which repeats its half of the pattern. */
  readonly vcpus: number;
  /** Logged guest memory in bytes. */
  readonly memoryBytes: number;
  /** Pages of the pattern. */
  readonly dirtyPages: number;
  /** Stores of a run, over all vCPUs. */
  readonly stores: number;
  /** Milliseconds between two harvests of all rings; a full ring is harvested at once. */
  readonly intervalMs: number;
}

/** Few enough stores for a second, and enough pages that none is stored to twice between two harvests. */
export const RING_SIZE_GUEST: RingSizeGuest = {
  vcpus: 2,
  memoryBytes: 2 ** 27,
  dirtyPages: 2 ** 15,
  stores: 100_000,
  intervalMs: 100,
};

/** What a live run with a ring of some size came to, over all vCPUs. */
export interface RingSizeRun {
  /** `KVM_EXIT_DIRTY_RING_FULL` exits. */
  readonly fullExits: number;
  /** Nanoseconds that vCPUs stood still after them. */
  readonly stoppedNs: number;
  /** Stores that the guest made in a second. */
  readonly storesPerSecond: number;
  /** Entries harvested. */
  readonly entries: number;
}

/**
 * Runs a guest with rings of a size.
 *
 * @param ringEntries The size of each ring in entries.
 * @returns What it came to; `null` where it did not come to its end.
 */
export type RunRingSize = (ringEntries: number) => Promise<RingSizeRun | null>;

/** What rings of a size cost a guest that runs while they are harvested; medians. */
export interface RingSizeCost extends RingSizeRun {
  /** The size of each ring in entries. */
  readonly ringEntries: number;
  /** Repetitions that the medians are taken over. */
  readonly repetitions: number;
  /** The fewest stores in a second. */
  readonly minStoresPerSecond: number;
  /** The most. */
  readonly maxStoresPerSecond: number;
}

/** The smallest ring in entries that any kernel accepts. */
const SMALLEST = 256;
/** Repetitions unless asked for: each is a second or so. */
const REPETITIONS = 3;

/**
 * The sizes of rings that a kernel accepts.
 *
 * @param smallest The smallest in entries.
 * @param largest The largest.
 * @returns Powers of two.
 */
export function ringSizes(smallest: number, largest: number): number[] {
  const sizes: number[] = [];
  for (let size = Math.max(SMALLEST, smallest); size <= largest; size *= 2) sizes.push(size);
  return sizes;
}

/**
 * Runs a guest with rings of each size, in turn.
 *
 * @param sizes The sizes in entries.
 * @param run Runs it.
 * @param repetitions How often; three times unless given.
 * @param interrupt Ends it early.
 * @returns What each size came to; none where no repetition came to its end.
 */
export async function measureRingSizes(
  sizes: readonly number[],
  run: RunRingSize,
  repetitions: number | undefined,
  interrupt: Interrupt,
): Promise<RingSizeCost[]> {
  const turns: Turn<RingSizeRun>[] = sizes.map((size) => () => run(size));
  const rows = await takeTurns(turns, repetitions ?? REPETITIONS, interrupt, { warmUp: false });
  if (rows.length === 0) return [];
  return sizes.map((ringEntries, n) => {
    const runs = rows.map((row) => row[n]!);
    const middle = (figure: keyof RingSizeRun) => spreadOf(runs.map((one) => one[figure])).median;
    const { median, min, max } = spreadOf(runs.map((one) => one.storesPerSecond));
    return {
      ringEntries,
      repetitions: rows.length,
      fullExits: middle("fullExits"),
      stoppedNs: middle("stoppedNs"),
      storesPerSecond: median,
      minStoresPerSecond: min,
      maxStoresPerSecond: max,
      entries: middle("entries"),
    };
  });
}
