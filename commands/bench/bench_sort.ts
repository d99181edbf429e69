import type { RoundResult } from "../../drive/rounds.ts";
import { nanosecondsSince, PAGE_SIZE } from "../../ffi/linux.ts";
import type { Take } from "../../machine/dirty_tracker.ts";
import { takePlain } from "../../machine/ring_tracker.ts";
import { median } from "../../ring/distribution.ts";
import type { Harvester } from "../../ring/harvest.ts";
import { RingSorter } from "../../ring/sort.ts";
import { RingStatistics } from "../../ring/statistics.ts";
import { crossingOf } from "./bench_cost.ts";
import { type BenchOptions, planBench } from "./bench_options.ts";
import { type BenchSite, RingBench } from "./bench_ring.ts";
import { takeTurns } from "./take_turns.ts";

/** What a round costs for each of its entries, in one of the two ways. */
export interface SortedCost {
  /** Median of the harvest, without the sorting, in nanoseconds. */
  readonly harvestNsPerEntry: number;
  /** Median of the sorting; 0 where it is not done. */
  readonly sortNsPerEntry: number;
  /** Median of `KVM_RESET_DIRTY_RINGS`. */
  readonly resetNsPerEntry: number;
  /** The three medians together. */
  readonly totalNsPerEntry: number;
  /** Batches in which resets take the entries of a round: modelled. */
  readonly batches: number;
}

/** Sorting in the ring against leaving entries as they come, for one density. */
export interface SortDensity {
  /** Dirty pages / all pages of the slot. */
  readonly dirtyFraction: number;
  /** Pages that are stored to, at random. */
  readonly dirtyPages: number;
  /** Repetitions that the medians are taken over. */
  readonly repetitions: number;
  /** Entries as they come. */
  readonly plain: SortedCost;
  /** Entries sorted. */
  readonly sorted: SortedCost;
  /** Total of the plain way / total of the sorted one: above 1 sorting pays. */
  readonly ratio: number;
}

/** From which dirty fraction of a slot on it pays to sort. */
export interface SortPays {
  /** The fraction, interpolated; `null` where there is none in the range that was measured. */
  readonly dirtyFraction: number | null;
  /** `"crosses"`: from the fraction on it pays; otherwise whether it pays in all of the range. */
  readonly outcome: "crosses" | "never" | "always" | "unclear";
}

/** Memory of the slot. */
export const SORT_BYTES = 2 ** 28;
/** The densities, as parts of the slot. */
const DENSITIES = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5] as const;

/**
 * The densities as numbers of pages.
 *
 * @returns Dirty pages, from few to many.
 */
export function sortPages(): number[] {
  return DENSITIES.map((density) => Math.round(density * SORT_BYTES / PAGE_SIZE));
}

/**
 * Measures plain and sorted rounds of random pages, in turn.
 *
 * @param options The guest, the ring and the seed.
 * @param dirtyPages Pages that are stored to.
 * @param what The density in words, for problems.
 * @returns What both cost; `null` where no repetition came to its end.
 * @throws {KernelError} Where the kernel refuses a call.
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
  const rows = await takeTurns(turns, options.repetitions, site.interrupt);
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

/**
 * From which dirty fraction on it pays to sort.
 *
 * @returns The fraction.
 */
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

// Harvests as Harvester.takeSorted() does, and keeps the time of the sorting apart.
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

type Costs = Omit<SortedCost, "batches" | "totalNsPerEntry">;

function perEntry({ harvestNs, resetNs, entries }: RoundResult, sortNs: number): Costs {
  return {
    harvestNsPerEntry: (harvestNs - sortNs) / entries,
    sortNsPerEntry: sortNs / entries,
    resetNsPerEntry: resetNs / entries,
  };
}

function mediansOf(costs: readonly Costs[]): Omit<SortedCost, "batches"> {
  const middle = (figure: keyof Costs) => median(costs.map((cost) => cost[figure])) ?? 0;
  const harvestNsPerEntry = middle("harvestNsPerEntry");
  const sortNsPerEntry = middle("sortNsPerEntry");
  const resetNsPerEntry = middle("resetNsPerEntry");
  const totalNsPerEntry = harvestNsPerEntry + sortNsPerEntry + resetNsPerEntry;
  return { harvestNsPerEntry, sortNsPerEntry, resetNsPerEntry, totalNsPerEntry };
}
