// The sweeps over ring sizes, with a guest that runs while it is harvested, and over patterns.

import { kvm_dirty_gfn } from "../../ffi/kvm_structs.ts";
import { parsePattern } from "../../guest/pattern.ts";
import { GuestError } from "../../host/errors.ts";
import type { Interrupt } from "../../host/interrupt.ts";
import { ringVm } from "../../machine/guest_vm.ts";
import { passesFor, planLab } from "../../machine/plan.ts";
import { takePlain } from "../../machine/ring_tracker.ts";
import { RingStatistics } from "../../ring/statistics.ts";
import { live } from "../live/live.ts";
import { type BenchOptions, planBench } from "./bench_options.ts";
import { type BenchSite, RingBench } from "./bench_ring.ts";
import { spreadOf, takeTurns, type Turn } from "./take_turns.ts";

/** The guest of the ring-size sweep, and how it is harvested. */
export interface RingSizeGuest {
  /** Number of vCPUs; each repeats its share of the pattern. */
  readonly vcpus: number;
  /** Logged guest memory in bytes. */
  readonly memoryBytes: number;
  /** Number of pages in the pattern. */
  readonly dirtyPages: number;
  /** Number of stores in a run, over all vCPUs. */
  readonly stores: number;
  /** Milliseconds between two harvests of all rings. A full ring is harvested at once. */
  readonly intervalMs: number;
}

/**
 * A run takes about a second, and has enough pages that none is stored to twice between two
 * harvests.
 */
export const RING_SIZE_GUEST: RingSizeGuest = {
  vcpus: 2,
  memoryBytes: 2 ** 27,
  dirtyPages: 2 ** 15,
  stores: 100_000,
  intervalMs: 100,
};

/** The result of a live run with rings of one size, over all vCPUs. */
export interface RingSizeRun {
  /** `KVM_EXIT_DIRTY_RING_FULL` exits. */
  readonly fullExits: number;
  /** Nanoseconds that vCPUs were stopped by those exits. */
  readonly stoppedNs: number;
  /** Stores per second. */
  readonly storesPerSecond: number;
  /** Entries that were harvested. */
  readonly entries: number;
}

/**
 * Runs a guest with rings of one size.
 *
 * @param ringEntries Size of each ring in entries.
 * @returns The result; `null` if the run was interrupted or something did not hold.
 */
export type RunRingSize = (ringEntries: number) => Promise<RingSizeRun | null>;

/** What rings of one size cost a guest that runs while they are harvested. Figures are medians. */
export interface RingSizeCost extends RingSizeRun {
  /** Size of each ring in entries. */
  readonly ringEntries: number;
  /** Number of repetitions behind the medians. */
  readonly repetitions: number;
  /** The fewest stores per second of any run. */
  readonly minStoresPerSecond: number;
  /** The most stores per second of any run. */
  readonly maxStoresPerSecond: number;
  /** The figures of each run, in the order in which they were measured. */
  readonly samples: Readonly<Record<keyof RingSizeRun, readonly number[]>>;
}

/** The smallest ring, in entries, that any kernel accepts. */
const SMALLEST = 256;
/** Default number of repetitions: each takes about a second. */
export const RING_SIZE_REPETITIONS = 3;

/**
 * Lists the ring sizes that a kernel accepts.
 *
 * @param smallest The smallest ring in entries.
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
 * @param repetitions How many; three by default.
 * @returns The cost of each size; none if no repetition was completed.
 */
export async function measureRingSizes(
  sizes: readonly number[],
  run: RunRingSize,
  repetitions: number | undefined,
  interrupt: Interrupt,
): Promise<RingSizeCost[]> {
  const turns: Turn<RingSizeRun>[] = sizes.map((size) => () => run(size));
  const rows = await takeTurns(turns, repetitions ?? RING_SIZE_REPETITIONS, interrupt, {
    warmUp: false,
  });
  if (rows.length === 0) return [];
  return sizes.map((ringEntries, n) => {
    const runs = rows.map((row) => row[n]!);
    const all = (figure: keyof RingSizeRun) => runs.map((one) => one[figure]);
    const samples = {
      fullExits: all("fullExits"),
      stoppedNs: all("stoppedNs"),
      storesPerSecond: all("storesPerSecond"),
      entries: all("entries"),
    };
    const middle = (figure: keyof RingSizeRun) => spreadOf(samples[figure]).median;
    const { median, min, max } = spreadOf(samples.storesPerSecond);
    return {
      ringEntries,
      repetitions: rows.length,
      fullExits: middle("fullExits"),
      stoppedNs: middle("stoppedNs"),
      storesPerSecond: median,
      minStoresPerSecond: min,
      maxStoresPerSecond: max,
      entries: middle("entries"),
      samples,
    };
  });
}

/** The cost of resets for one pattern. */
export interface PatternCost {
  /** The pattern, as it would be written. */
  readonly pattern: string;
  /** Entries of one round. */
  readonly entries: number;
  /** Batches in a reset, modelled by the rule of `kvm_dirty_ring_reset`. */
  readonly batches: number;
  /** Mean number of pages in a batch, modelled. */
  readonly pagesPerBatch: number;
  /** Number of repetitions behind the figures. */
  readonly repetitions: number;
  /** Nanoseconds per entry in `KVM_RESET_DIRTY_RINGS`: the median. */
  readonly resetNsPerEntry: number;
  /** The least, in nanoseconds. */
  readonly minNsPerEntry: number;
  /** The greatest, in nanoseconds. */
  readonly maxNsPerEntry: number;
  /** The lower quartile, in nanoseconds. */
  readonly q1NsPerEntry: number;
  /** The upper quartile, in nanoseconds. */
  readonly q3NsPerEntry: number;
  /** Median of this pattern / median of the sequential pattern. */
  readonly ratio: number;
  /** The times of each repetition, in the order in which they were measured. */
  readonly samples: {
    /** Nanoseconds per entry in `KVM_RESET_DIRTY_RINGS`. */
    readonly resetNsPerEntry: readonly number[];
  };
}

/** The patterns; all others are compared with the first. */
export const BENCH_PATTERNS = [
  "sequential",
  "reverse",
  "window:64",
  "stride:8",
  "stride:64",
  "zigzag",
  "pingpong",
  "random",
] as const;

/** Large enough that every pattern stores to each of its pages once. */
export const PATTERN_SIZE = { memoryBytes: 2 ** 30, dirtyPages: 4096 } as const;

/**
 * Measures resets of the same number of pages in different orders, in turn, on one VM.
 *
 * @returns The patterns in their order; none if no repetition was completed.
 * @throws {KernelError} If the kernel refuses a call.
 */
export async function measurePatterns(
  site: BenchSite,
  options: BenchOptions,
): Promise<PatternCost[]> {
  const sequences = BENCH_PATTERNS.map((text) =>
    planBench({ ...options, pattern: parsePattern(text) }, PATTERN_SIZE).sequence
  );
  const plan = planBench({ ...options, pattern: parsePattern("sequential") }, PATTERN_SIZE);
  using ring = new RingBench(site, plan, "patterns");
  const statistics = sequences.map(() => new RingStatistics());
  const turns = sequences.map((sequence, n) => async () => {
    ring.load(sequence);
    // Statistics are the same in each round: one round is enough.
    const wanted = statistics[n]!.result("v6.17").windows === 0 ? statistics[n]! : undefined;
    const round = await ring.round(takePlain, wanted);
    return round === null ? null : round.resetNs / round.entries;
  });
  const { progress } = site.interrupt;
  let done = 0;
  const { repetitions, isTimed: warmUp = true } = options;
  using _sweep = progress.begin({
    what: `pattern: ${turns.length} orders, in turn`,
    unit: "rounds",
    // How many of them warm up depends on how long they take.
    total: warmUp || repetitions === undefined ? null : turns.length * repetitions,
    done: () => done,
  });
  const counted = turns.map((turn) => async () => {
    const cost = await turn();
    done++;
    return cost;
  });
  const rows = await takeTurns(counted, repetitions, site.interrupt, { warmUp });
  if (rows.length === 0) return [];
  const samples = sequences.map((_, n) => rows.map((row) => row[n]!));
  const spreads = samples.map(spreadOf);
  return BENCH_PATTERNS.map((pattern, n) => {
    const { entries, batches, pagesPerBatch } = statistics[n]!.result("v6.17");
    const { median, min, max, q1, q3 } = spreads[n]!;
    return {
      pattern,
      entries,
      batches,
      pagesPerBatch: pagesPerBatch.mean ?? 0,
      repetitions: rows.length,
      resetNsPerEntry: median,
      minNsPerEntry: min,
      maxNsPerEntry: max,
      q1NsPerEntry: q1,
      q3NsPerEntry: q3,
      ratio: median / spreads[0]!.median,
      samples: { resetNsPerEntry: samples[n]! },
    };
  });
}

const TIMEOUT_MS = 120_000;
/** The least length of each vCPU's list, so that the vCPU seldom starts over. */
const LEAST_LIST = 1 << 15;

/**
 * Makes the function that runs the guest of the ring-size sweep, live and on a fresh VM each time.
 *
 * @param stores Stores of each run, over all vCPUs.
 */
export function liveRing(
  site: BenchSite,
  options: BenchOptions,
  stores: number = RING_SIZE_GUEST.stores,
): RunRingSize {
  const { guest, pattern, seed } = options;
  const { vcpus, memoryBytes, dirtyPages, intervalMs } = RING_SIZE_GUEST;
  return async (ringEntries) => {
    const plan = planLab({
      guest,
      pattern,
      seed,
      vcpus,
      slots: 1,
      rounds: 1,
      memory: memoryBytes,
      pages: dirtyPages,
      ringBytes: ringEntries * kvm_dirty_gfn.size,
      passes: (stores) => passesFor(stores, vcpus, LEAST_LIST),
    });
    using lab = ringVm(site.kernel, plan);
    const timing = { stores, durationMs: null, intervalMs, timeoutMs: TIMEOUT_MS };
    const result = await live(lab, site.interrupt, timing);
    if (result.error !== null) throw new GuestError(result.error);
    if (result.interrupted !== null) return null;
    const found = [...result.problems];
    if (result.lost.count > 0) found.push("a page holds a store that no entry announced");
    site.problems.push(...found.map((problem) => `rings of ${ringEntries} entries: ${problem}`));
    if (found.length > 0) return null;
    const sum = (figure: "stores" | "entries" | "fullExits" | "stoppedNs") =>
      result.vcpus.reduce((all, vcpu) => all + vcpu[figure], 0);
    return {
      fullExits: sum("fullExits"),
      stoppedNs: sum("stoppedNs"),
      storesPerSecond: sum("stores") / (result.elapsedNs / 1e9),
      entries: sum("entries"),
    };
  };
}
