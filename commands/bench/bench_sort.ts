// The sort sweep: does sorting entries in the ring pay?

import type { RoundResult } from "../../drive/rounds.ts";
import { nanosecondsSince, PAGE_SIZE } from "../../ffi/linux.ts";
import type { Take } from "../../machine/dirty_tracker.ts";
import { takePlain } from "../../machine/ring_tracker.ts";
import { median } from "../../ring/distribution.ts";
import type { Harvester } from "../../ring/harvest.ts";
import { RingSorter } from "../../ring/sort.ts";
import { RingStatistics } from "../../ring/statistics.ts";
import { crossingOf } from "./bench_crossing.ts";
import { type BenchOptions, planBench } from "./bench_options.ts";
import { type BenchSite, RingBench } from "./bench_ring.ts";
import { takeTurns } from "./take_turns.ts";

/** The cost of one entry, plain or sorted. Figures are in nanoseconds. */
export interface SortedCost {
  /** Median of the harvest, without the sorting. */
  readonly harvestNsPerEntry: number;
  /** Median of the sorting; 0 if entries are not sorted. */
  readonly sortNsPerEntry: number;
  /** Median of `KVM_RESET_DIRTY_RINGS`. */
  readonly resetNsPerEntry: number;
  /** The sum of the three medians. */
  readonly totalNsPerEntry: number;
  /** Batches in the resets of a round, modelled. */
  readonly batches: number;
  /** The times of each repetition, in the order in which they were measured. */
  readonly samples: SortedSamples;
}

/** The times of each repetition, in nanoseconds per entry. */
export interface SortedSamples {
  /** The harvest, without the sorting. */
  readonly harvestNsPerEntry: readonly number[];
  /** The sorting; zeros if entries are not sorted. */
  readonly sortNsPerEntry: readonly number[];
  /** `KVM_RESET_DIRTY_RINGS`. */
  readonly resetNsPerEntry: readonly number[];
}

/** Sorted against plain entries, for one density of dirty pages. */
export interface SortDensity {
  /** Dirty pages / all pages of the slot, from 0 to 1. */
  readonly dirtyFraction: number;
  /** How many pages are stored to, in random order. */
  readonly dirtyPages: number;
  /** Number of repetitions behind the medians. */
  readonly repetitions: number;
  /** Entries in the order in which they came. */
  readonly plain: SortedCost;
  /** Entries sorted in the ring. */
  readonly sorted: SortedCost;
  /** Total of the plain way / total of the sorted way; above 1 sorting pays. */
  readonly ratio: number;
}

/** The dirty fraction of a slot from which sorting pays. */
export interface SortPays {
  /** The fraction, interpolated; `null` if the range that was measured has none. */
  readonly dirtyFraction: number | null;
  /**
   * `"crosses"`: sorting pays from the fraction on. Otherwise whether it pays in the whole range.
   */
  readonly outcome: "crosses" | "never" | "always" | "unclear";
}

/** Size of the slot in bytes. */
export const SORT_BYTES = 2 ** 28;
/** The densities, as fractions of the slot. */
const DENSITIES = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5] as const;

/** The densities as numbers of dirty pages, in ascending order. */
export function sortPages(): number[] {
  return DENSITIES.map((density) => Math.round(density * SORT_BYTES / PAGE_SIZE));
}

/**
 * Measures plain and sorted rounds of random pages, in turn.
 *
 * @param dirtyPages How many pages are stored to.
 * @param what The density in words, for problems.
 * @returns The cost of both; `null` if no repetition was completed.
 * @throws {KernelError} If the kernel refuses a call.
 */
export async function measureDensity(
  site: BenchSite,
  options: BenchOptions,
  dirtyPages: number,
  what: string,
): Promise<SortDensity | null> {
  const size = { memoryBytes: SORT_BYTES, dirtyPages };
  const random = { name: "random", parameter: 0 } as const;
  using ring = new RingBench(site, planBench({ ...options, pattern: random }, size), what);
  const sorting = new TimedSorting(ring.lab.tracker.rings[0]!.ring.words);
  const ways = [
    { take: takePlain, statistics: new RingStatistics() },
    { take: sorting.take, statistics: new RingStatistics() },
  ];
  const turns = ways.map(({ take, statistics }) => async () => {
    const isNew = statistics.result("v6.17").windows === 0;
    sorting.ns = 0;
    const round = await ring.round(take, isNew ? statistics : undefined);
    return round === null ? null : perEntry(round, sorting.ns);
  });
  const warmUp = options.isTimed ?? true;
  const rows = await takeTurns(turns, options.repetitions, site.interrupt, { warmUp });
  if (rows.length === 0) return null;
  const [plain, sorted] = ways.map(({ statistics }, way) => ({
    ...mediansOf(rows.map((row) => row[way]!)),
    batches: statistics.result("v6.17").batches,
  }));
  return {
    dirtyFraction: dirtyPages / (SORT_BYTES / PAGE_SIZE),
    dirtyPages,
    repetitions: rows.length,
    plain: plain!,
    sorted: sorted!,
    ratio: plain!.totalNsPerEntry / sorted!.totalNsPerEntry,
  };
}

/** Finds the dirty fraction from which sorting pays. */
export function sortPaysFrom(densities: readonly SortDensity[]): SortPays {
  const { dirtyFraction, outcome } = crossingOf(densities);
  const words = {
    crosses: "crosses",
    first: "never",
    second: "always",
    unclear: "unclear",
  } as const;
  return { dirtyFraction, outcome: words[outcome] };
}

// Harvests like Harvester.takeSorted(), and times the sorting separately.
class TimedSorting {
  readonly #sorter: RingSorter;
  ns = 0;
  readonly take: Take = (harvester: Harvester) => {
    const started = performance.now();
    const run = this.#sorter.sort(harvester.fetchIndex, harvester.size);
    this.ns += nanosecondsSince(started);
    return harvester.take(run);
  };

  constructor(words: Uint32Array<ArrayBuffer>) {
    this.#sorter = new RingSorter(words);
  }
}

type Costs = Readonly<Record<keyof SortedSamples, number>>;

function perEntry({ harvestNs, resetNs, entries }: RoundResult, sortNs: number): Costs {
  return {
    harvestNsPerEntry: (harvestNs - sortNs) / entries,
    sortNsPerEntry: sortNs / entries,
    resetNsPerEntry: resetNs / entries,
  };
}

function mediansOf(costs: readonly Costs[]): Omit<SortedCost, "batches"> {
  const all = (figure: keyof Costs) => costs.map((cost) => cost[figure]);
  const samples = {
    harvestNsPerEntry: all("harvestNsPerEntry"),
    sortNsPerEntry: all("sortNsPerEntry"),
    resetNsPerEntry: all("resetNsPerEntry"),
  };
  const harvestNsPerEntry = median(samples.harvestNsPerEntry) ?? 0;
  const sortNsPerEntry = median(samples.sortNsPerEntry) ?? 0;
  const resetNsPerEntry = median(samples.resetNsPerEntry) ?? 0;
  const totalNsPerEntry = harvestNsPerEntry + sortNsPerEntry + resetNsPerEntry;
  return { harvestNsPerEntry, sortNsPerEntry, resetNsPerEntry, totalNsPerEntry, samples };
}
