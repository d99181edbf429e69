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

/** What it costs to learn which pages are dirty and to re-arm them, in one way, for one size. */
export interface CostCell extends CellSize {
  /** Dirty pages / all logged pages. */
  readonly dirtyFraction: number;
  /** How dirty pages are tracked. */
  readonly tracking: TrackingKind;
  /** Whether entries are sorted in the ring before they are marked. */
  readonly sorted: boolean;
  /** Repetitions that the figures are taken over. */
  readonly repetitions: number;
  /** Nanoseconds to learn and re-arm, the median. */
  readonly medianNs: number;
  /** The least. */
  readonly minNs: number;
  /** The greatest. */
  readonly maxNs: number;
  /** A quarter of the repetitions took less. */
  readonly q1Ns: number;
  /** A quarter took more. */
  readonly q3Ns: number;
  /** Median of learning: the harvest, with the sorting; or getting the bitmap and scanning it. */
  readonly learnNs: number;
  /** Median of re-arming: reset, or clear; `null` where getting the bitmap re-arms it. */
  readonly rearmNs: number | null;
  /** Median of the scan, which is a part of learning; `null` for a ring. */
  readonly scanNs: number | null;
  /** `KVM_EXIT_DIRTY_RING_FULL` exits of a round, median; `null` for a bitmap. */
  readonly fullExits: number | null;
  /** Its median / that of the plain bitmap. */
  readonly ratio: number;
}

/** From which dirty fraction on the bitmap wins, for a size of memory: plain ring against plain bitmap. */
export interface CostCrossover {
  /** Logged guest memory in bytes. */
  readonly memoryBytes: number;
  /** The fraction, interpolated; `null` where there is none in the range that was measured. */
  readonly dirtyFraction: number | null;
  /** Which wins: `"crosses"` is first the ring, then the bitmap; `"unclear"` is neither of the others. */
  readonly outcome: "crosses" | "ring" | "bitmap" | "unclear";
  /** The same for the ring with sorting. */
  readonly sorted: Omit<CostCrossover, "memoryBytes" | "sorted">;
}

/** What a round cost in one of the ways. */
export interface RoundCost {
  /** Nanoseconds of learning. */
  readonly learnNs: number;
  /** Nanoseconds of re-arming. */
  readonly rearmNs: number;
  /** Nanoseconds of the scan, within learning; `null` for a ring. */
  readonly scanNs: number | null;
  /** Full exits; `null` for a bitmap. */
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
 * Measures one size in all ways, in turn. Each tracking has a VM of its own, with the same guest and pattern.
 *
 * @param options The guest and the pattern.
 * @param what The size in words, for problems.
 * @returns A cell for each way; none where no repetition came to its end.
 * @throws {KernelError} Where the kernel refuses a call.
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
 * Medians, spreads and ratios of what was measured for one size.
 *
 * @param rows For each repetition the cost of each way.
 * @returns A cell for each way; none without a row.
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
    const middle = (figure: (cost: RoundCost) => number | null) => {
      const found = costs.map(figure).filter((value) => value !== null);
      return found.length === 0 ? null : spreadOf(found).median;
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
      learnNs: spreadOf(costs.map((cost) => cost.learnNs)).median,
      rearmNs: tracking === "bitmap" ? null : median(costs.map((cost) => cost.rearmNs)),
      scanNs: middle((cost) => cost.scanNs),
      fullExits: middle((cost) => cost.fullExits),
      ratio: medianNs / bitmap,
    };
  });
}

/**
 * From which dirty fraction on the bitmap wins, for each size of memory.
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

/** What a round with a bitmap cost, in nanoseconds. */
export interface BitmapRound {
  /** Getting the bitmap and turning it into page numbers. */
  readonly learnNs: number;
  /** Of that, the scan. */
  readonly scanNs: number;
  /** Clearing by hand; 0 where getting has re-armed already. */
  readonly rearmNs: number;
}

/** A guest whose dirty pages a bitmap tracks, for rounds that are timed and checked. */
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
   * @param site What it shares with others.
   * @param plan What to make; its ring is not enabled.
   * @param kind How the bitmap is re-armed.
   * @param what What is measured, for problems.
   * @throws {HostError} Where the kernel clears no dirty log by hand.
   * @throws {KernelError} Where the kernel refuses a call.
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
   * Runs a round: every store, then learns and re-arms. The pages are compared with those that were stored to.
   *
   * @returns What it cost; `null` where it did not come to its end or something does not hold.
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
    cycle.learn([]); // a bitmap does not tell vCPUs apart
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

  /** Gives the VM back. */
  [Symbol.dispose](): void {
    this.#vm[Symbol.dispose]();
  }
}

/** A ratio that was measured at a dirty fraction. */
export interface RatioPoint {
  /** Dirty pages / all pages. */
  readonly dirtyFraction: number;
  /** The first thing's time / the second's: below 1 the first wins. */
  readonly ratio: number;
}

/**
 * Which of two things wins: they change places, one always does, or it is not clear, since the first is ahead
 * again at the end, or nothing was measured.
 */
export type CrossingOutcome = "crosses" | "first" | "second" | "unclear";

/** From which dirty fraction on the second of two things wins. */
export interface Crossing {
  /** The fraction, interpolated between two that were measured; `null` unless they change places. */
  readonly dirtyFraction: number | null;
  /** Which wins in the range that was measured. */
  readonly outcome: CrossingOutcome;
}

/**
 * From which dirty fraction on the second of two things wins, all the way up to the greatest that was measured:
 * where a line between two points crosses 1, with logarithms on both axes.
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
