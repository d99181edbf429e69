import { parsePattern } from "../guest/pattern.ts";
import { RingStatistics } from "../ring/statistics.ts";
import { type BenchOptions, planBench } from "./bench_options.ts";
import { type BenchSite, RingBench } from "./bench_ring.ts";
import { takePlain } from "../machine/ring_tracker.ts";
import { spreadOf } from "./spread.ts";
import { takeTurns } from "./take_turns.ts";

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
 * @param site Kernel, interrupt and problems.
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
