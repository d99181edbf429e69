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
 * @param repetitions How often; three times unless given.
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

/** What the reset of a pattern costs. */
export interface PatternCost {
  /** The pattern, as it would be written. */
  readonly pattern: string;
  /** Entries of a round. */
  readonly entries: number;
  /** Batches in which a reset takes them, by the rule of `kvm_dirty_ring_reset`: modelled. */
  readonly batches: number;
  /** Pages of a batch, mean: modelled. */
  readonly pagesPerBatch: number;
  /** Repetitions that the figures are taken over. */
  readonly repetitions: number;
  /** Nanoseconds in `KVM_RESET_DIRTY_RINGS` for an entry, the median. */
  readonly resetNsPerEntry: number;
  /** The least. */
  readonly minNsPerEntry: number;
  /** The greatest. */
  readonly maxNsPerEntry: number;
  /** A quarter of the repetitions took less. */
  readonly q1NsPerEntry: number;
  /** A quarter took more. */
  readonly q3NsPerEntry: number;
  /** Its median / that of the sequential pattern. */
  readonly ratio: number;
}

/** The patterns, the one that all are compared with first. */
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
 * @param options The guest, the ring and the seed.
 * @returns The patterns in their order; none where no repetition came to its end.
 * @throws {KernelError} Where the kernel refuses a call.
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
    // Statistics are the same each round: one is enough.
    const wanted = statistics[n]!.result("v6.17").windows === 0 ? statistics[n]! : undefined;
    const round = await ring.round(takePlain, wanted);
    return round === null ? null : round.resetNs / round.entries;
  });
  const rows = await takeTurns(turns, options.repetitions, site.interrupt);
  if (rows.length === 0) return [];
  const spreads = sequences.map((_, n) => spreadOf(rows.map((row) => row[n]!)));
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
    };
  });
}

const TIMEOUT_MS = 120_000;
/** List elements of each vCPU, so that it seldom begins its list again. */
const LEAST_LIST = 1 << 15;

/**
 * Runs guests live, each on a fresh VM: what the ring-size sweep measures.
 *
 * @param options The guest and the pattern.
 * @param stores Stores of each run, over all vCPUs.
 * @returns What runs a guest with rings of a size.
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
