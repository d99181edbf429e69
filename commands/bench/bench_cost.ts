// The cost sweep: what it costs to learn which pages are dirty and to re-arm them, by ring and by
// bitmap.

import { HarvestCycle } from "../../drive/harvest_cycle.ts";
import { InlineDriver } from "../../drive/inline_driver.ts";
import { PAGE_SIZE } from "../../ffi/linux.ts";
import { BitmapTracker } from "../../machine/bitmap_tracker.ts";
import type { BitmapKind, Take, TrackingKind } from "../../machine/dirty_tracker.ts";
import { GuestVm } from "../../machine/guest_vm.ts";
import type { Plan } from "../../machine/plan.ts";
import { takePlain, takeSorted } from "../../machine/ring_tracker.ts";
import { median } from "../../ring/distribution.ts";
import { type BenchOptions, type CellSize, planBench } from "./bench_options.ts";
import { type BenchSite, PageCensus, RingBench } from "./bench_ring.ts";
import { spreadOf, takeTurns } from "./take_turns.ts";

/** The cost of learning which pages are dirty and re-arming them: one way of tracking, one size. */
export interface CostCell extends CellSize {
  /** Dirty pages / all logged pages, from 0 to 1. */
  readonly dirtyFraction: number;
  /** How dirty pages are tracked. */
  readonly tracking: TrackingKind;
  /** Whether entries are sorted in the ring before they are marked. */
  readonly sorted: boolean;
  /** Number of repetitions behind the figures. */
  readonly repetitions: number;
  /** Nanoseconds to learn and re-arm: the median. */
  readonly medianNs: number;
  /** The least, in nanoseconds. */
  readonly minNs: number;
  /** The greatest, in nanoseconds. */
  readonly maxNs: number;
  /** The lower quartile, in nanoseconds. */
  readonly q1Ns: number;
  /** The upper quartile, in nanoseconds. */
  readonly q3Ns: number;
  /**
   * Median of learning, in nanoseconds: the harvest with the sorting, or getting and scanning the
   * bitmap.
   */
  readonly learnNs: number;
  /**
   * Median of re-arming, in nanoseconds: reset, or clear; `null` if getting the bitmap re-arms it.
   */
  readonly rearmNs: number | null;
  /** Median of the scan, in nanoseconds, which is a part of learning; `null` for a ring. */
  readonly scanNs: number | null;
  /** `KVM_EXIT_DIRTY_RING_FULL` exits of a round, median; `null` for a bitmap. */
  readonly fullExits: number | null;
  /** Median of this way / median of the plain bitmap. */
  readonly ratio: number;
  /** The figures of each repetition, in the order in which they were measured. */
  readonly samples: CostSamples;
}

/** The figures of each repetition of a cell. */
export interface CostSamples {
  /** Nanoseconds of learning. */
  readonly learnNs: readonly number[];
  /** Nanoseconds of re-arming; `null` if getting the bitmap re-arms it. */
  readonly rearmNs: readonly number[] | null;
  /** Nanoseconds of the scan; `null` for a ring. */
  readonly scanNs: readonly number[] | null;
  /** `KVM_EXIT_DIRTY_RING_FULL` exits; `null` for a bitmap. */
  readonly fullExits: readonly number[] | null;
}

/** Where the bitmap begins to win over the ring, for one size of memory. */
export interface CostCrossover {
  /** Logged guest memory in bytes. */
  readonly memoryBytes: number;
  /**
   * The dirty fraction from which the bitmap wins, interpolated; `null` if the range that was
   * measured has none.
   */
  readonly dirtyFraction: number | null;
  /** Which wins. `"crosses"`: first the ring, then the bitmap; `"unclear"`: none of the others. */
  readonly outcome: "crosses" | "ring" | "bitmap" | "unclear";
  /** The same for the ring with sorting. */
  readonly sorted: Omit<CostCrossover, "memoryBytes" | "sorted">;
}

/** The cost of one round in one way. */
export interface RoundCost {
  /** Nanoseconds of learning. */
  readonly learnNs: number;
  /** Nanoseconds of re-arming. */
  readonly rearmNs: number;
  /** Nanoseconds of the scan, a part of learning; `null` for a ring. */
  readonly scanNs: number | null;
  /** `KVM_EXIT_DIRTY_RING_FULL` exits; `null` for a bitmap. */
  readonly fullExits: number | null;
}

const WAYS = [
  { tracking: "ring", sorted: false },
  { tracking: "ring", sorted: true },
  { tracking: "bitmap", sorted: false },
  { tracking: "bitmap-manual", sorted: false },
] as const;
const PLAIN_BITMAP = 2;

/**
 * Measures one size in all ways, in turn. Each kind of tracking has a VM of its own, with the same
 * guest and pattern.
 *
 * @param what The size in words, for problems.
 * @returns A cell for each way; none if no repetition was completed.
 * @throws {KernelError} If the kernel refuses a call.
 */
export async function measureCost(
  site: BenchSite,
  options: BenchOptions,
  size: CellSize,
  what: string,
): Promise<CostCell[]> {
  const plan = planBench(options, size);
  using ring = new RingBench(site, plan, what);
  using bitmap = new BitmapBench(site, plan, "bitmap", what);
  using manual = new BitmapBench(site, plan, "bitmap-manual", what);
  const turns = [
    () => ringCost(ring, takePlain),
    () => ringCost(ring, takeSorted),
    () => bitmapCost(bitmap),
    () => bitmapCost(manual),
  ];
  const rows = await takeTurns(turns, options.repetitions, site.interrupt);
  return costCells(size, rows);
}

async function ringCost(ring: RingBench, take: Take): Promise<RoundCost | null> {
  const round = await ring.round(take);
  if (round === null) return null;
  const { harvestNs, resetNs, fullExits } = round;
  return { learnNs: harvestNs, rearmNs: resetNs, scanNs: null, fullExits };
}

async function bitmapCost(bitmap: BitmapBench): Promise<RoundCost | null> {
  const round = await bitmap.round();
  return round === null ? null : { ...round, fullExits: null };
}

/**
 * Computes medians, spreads and ratios for one size.
 *
 * @param rows For each repetition, the cost of each way.
 * @returns A cell for each way; none without rows.
 */
export function costCells(
  { memoryBytes, dirtyPages }: CellSize,
  rows: readonly (readonly RoundCost[])[],
): CostCell[] {
  if (rows.length === 0) return [];
  const total = (way: number) => spreadOf(rows.map((row) => row[way]!.learnNs + row[way]!.rearmNs));
  const bitmap = total(PLAIN_BITMAP).median;
  return WAYS.map(({ tracking, sorted }, way) => {
    const costs = rows.map((row) => row[way]!);
    const { median: medianNs, min: minNs, max: maxNs, q1: q1Ns, q3: q3Ns } = total(way);
    const found = (figure: (cost: RoundCost) => number | null) => {
      const values = costs.map(figure).filter((value) => value !== null);
      return values.length === 0 ? null : values;
    };
    const samples = {
      learnNs: costs.map((cost) => cost.learnNs),
      rearmNs: tracking === "bitmap" ? null : costs.map((cost) => cost.rearmNs),
      scanNs: found((cost) => cost.scanNs),
      fullExits: found((cost) => cost.fullExits),
    };
    return {
      memoryBytes,
      dirtyPages,
      dirtyFraction: dirtyPages / (memoryBytes / PAGE_SIZE),
      tracking,
      sorted,
      repetitions: rows.length,
      medianNs,
      minNs,
      maxNs,
      q1Ns,
      q3Ns,
      learnNs: spreadOf(samples.learnNs).median,
      rearmNs: median(samples.rearmNs ?? []),
      scanNs: median(samples.scanNs ?? []),
      fullExits: median(samples.fullExits ?? []),
      ratio: medianNs / bitmap,
      samples,
    };
  });
}

/**
 * Finds the dirty fraction from which the bitmap wins, for each size of memory.
 *
 * @returns A crossover for each size, in the order of the cells.
 */
export function crossoversOf(cells: readonly CostCell[]): CostCrossover[] {
  const sizes = [...new Set(cells.map(({ memoryBytes }) => memoryBytes))];
  return sizes.map((memoryBytes) => {
    const ring = cells.filter((cell) =>
      cell.memoryBytes === memoryBytes && cell.tracking === "ring"
    );
    const crossing = (sorted: boolean) =>
      named(crossingOf(ring.filter((cell) => cell.sorted === sorted)));
    return { memoryBytes, ...crossing(false), sorted: crossing(true) };
  });
}

function named({ dirtyFraction, outcome }: Crossing): CostCrossover["sorted"] {
  const words = {
    crosses: "crosses",
    first: "ring",
    second: "bitmap",
    unclear: "unclear",
  } as const;
  return { dirtyFraction, outcome: words[outcome] };
}

/** The cost of one round with a bitmap, in nanoseconds. */
export interface BitmapRound {
  /** Getting the bitmap and turning it into page numbers. */
  readonly learnNs: number;
  /** Part of learning: the scan. */
  readonly scanNs: number;
  /** Clearing the bitmap by hand; 0 if getting it has re-armed it. */
  readonly rearmNs: number;
}

/** A guest whose dirty pages are tracked by a bitmap. Its rounds are timed and checked. */
class BitmapBench implements Disposable {
  readonly #vm: GuestVm<BitmapTracker>;
  readonly #cycle: HarvestCycle<BitmapTracker>;
  readonly #census: PageCensus;
  readonly #driver: InlineDriver;
  readonly #site: BenchSite;
  readonly #what: string;

  /**
   * Makes the VM.
   *
   * @param plan The plan of the VM; its ring is not enabled.
   * @param kind How the bitmap is re-armed.
   * @param what What is measured, for problems.
   * @throws {HostError} If the kernel has no manual dirty log.
   * @throws {KernelError} If the kernel refuses a call.
   */
  constructor(site: BenchSite, plan: Plan, kind: BitmapKind, what: string) {
    this.#site = site;
    this.#what = `${kind}, ${what}`;
    this.#driver = new InlineDriver(site.interrupt);
    this.#vm = new GuestVm(site.kernel, plan, new BitmapTracker(kind));
    this.#cycle = new HarvestCycle(this.#vm.tracker);
    this.#census = new PageCensus(this.#vm.pages, plan.sequence);
  }

  /**
   * Runs a round: makes every store, then learns and re-arms. The pages found are compared with
   * those stored to.
   *
   * @returns Its cost; `null` if the round was interrupted or something did not hold.
   */
  async round(): Promise<BitmapRound | null> {
    for (const [id, { vcpu, first, stores }] of this.#vm.vcpus.entries()) {
      this.#vm.begin(id, first, stores);
      const exit = await this.#driver.run(vcpu);
      if (exit === "KVM_EXIT_INTR") return null;
      if (this.#vm.remaining(id) !== 0) return this.#problem(`vCPU ${id} ended early with ${exit}`);
    }
    const cycle = this.#cycle;
    let rearmNs = 0;
    cycle.learn([]); // a bitmap covers all vCPUs
    cycle.rearm(({ ns }) => rearmNs += ns);
    const { learnNs, tracker: { scanNs, found } } = cycle;
    this.#census.begin();
    this.#census.addPages(found);
    const difference = this.#census.difference();
    return difference === null ? { learnNs, scanNs, rearmNs } : this.#problem(difference);
  }

  #problem(text: string): null {
    this.#site.problems.push(`${this.#what}: ${text}`);
    return null;
  }

  /** Disposes of the VM. */
  [Symbol.dispose](): void {
    this.#vm[Symbol.dispose]();
  }
}

/** A ratio that was measured at a dirty fraction. */
export interface RatioPoint {
  /** Dirty pages / all pages, from 0 to 1. */
  readonly dirtyFraction: number;
  /** Time of the first thing / time of the second; below 1 the first wins. */
  readonly ratio: number;
}

/**
 * Which of two things wins: the second from some fraction on, always the first, or always the
 * second. It is unclear if the first is ahead again at the end, or nothing was measured.
 */
export type CrossingOutcome = "crosses" | "first" | "second" | "unclear";

/** Where the second of two things begins to win. */
export interface Crossing {
  /**
   * The dirty fraction, interpolated between two that were measured; `null` unless the outcome is
   * `crosses`.
   */
  readonly dirtyFraction: number | null;
  /** Which wins in the range that was measured. */
  readonly outcome: CrossingOutcome;
}

/**
 * Finds the dirty fraction from which the second of two things wins, up to the greatest fraction
 * that was measured: the point where the line between two measurements crosses 1, with both axes
 * logarithmic.
 *
 * @example
 * ```ts
 * import { crossingOf } from "./bench_cost.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const points = [{ dirtyFraction: 0.001, ratio: 0.1 }, { dirtyFraction: 0.1, ratio: 10 }];
 * const { dirtyFraction, outcome } = crossingOf(points);
 * assertEquals([dirtyFraction!.toFixed(6), outcome], ["0.010000", "crosses"]);
 * ```
 *
 * @param points What was measured, in any order.
 * @returns The fraction, or which of the two always wins.
 */
export function crossingOf(points: readonly RatioPoint[]): Crossing {
  const inOrder = points.toSorted((a, b) => a.dirtyFraction - b.dirtyFraction);
  const last = inOrder.findLastIndex(({ ratio }) => ratio < 1);
  if (last === inOrder.length - 1) {
    const isFirst = last >= 0 && inOrder.every(({ ratio }) => ratio < 1);
    return { dirtyFraction: null, outcome: isFirst ? "first" : "unclear" };
  }
  if (last === -1) return { dirtyFraction: null, outcome: "second" };
  const [below, above] = [inOrder[last]!, inOrder[last + 1]!];
  const share = Math.log(below.ratio) / (Math.log(below.ratio) - Math.log(above.ratio));
  const step = Math.log(above.dirtyFraction) - Math.log(below.dirtyFraction);
  const dirtyFraction = Math.exp(Math.log(below.dirtyFraction) + share * step);
  return { dirtyFraction, outcome: "crosses" };
}
