import { PAGE_SIZE } from "../ffi/linux.ts";
import { BitmapBench } from "./bench_bitmap.ts";
import { type BenchOptions, type CellSize, planBench } from "./bench_options.ts";
import { type BenchSite, RingBench } from "./bench_ring.ts";
import { type Crossing, crossingOf } from "./crossing.ts";
import { median } from "../lab/median.ts";
import type { Take, TrackingKind } from "../machine/dirty_tracker.ts";
import { takePlain, takeSorted } from "../machine/ring_tracker.ts";
import { spreadOf } from "./spread.ts";
import { takeTurns } from "./take_turns.ts";

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
 * @param site Kernel, interrupt and problems.
 * @param options The guest and the pattern.
 * @param size The size.
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
 * @param size The size.
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
 * @param cells The cells.
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
