// Where the second of two things begins to win: the bitmap over the ring, sorting over not sorting.

import type { CostCell } from "./bench_cost.ts";

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

/** Where the second of two things begins to win, and how sure that is. */
export interface CrossingRange extends Crossing {
  /**
   * The least fraction at which it may begin, as far as the ratios spread; `null` unless the
   * outcome is `crosses`.
   */
  readonly leastFraction: number | null;
  /** The greatest. */
  readonly mostFraction: number | null;
}

/** A ratio that was measured, with its spread. */
export interface SpreadPoint extends RatioPoint {
  /** The least that it may be. */
  readonly low: number;
  /** The most. */
  readonly high: number;
}

/**
 * Finds the dirty fraction from which the second of two things wins, up to the greatest fraction
 * that was measured: the point where the line between two measurements crosses 1, with both axes
 * logarithmic.
 *
 * @example
 * ```ts
 * import { crossingOf } from "./bench_crossing.ts";
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

/**
 * Finds the dirty fraction from which the second of two things wins, and the range in which it lies
 * if each ratio may be anywhere between its least and its greatest. The fraction is always inside;
 * where it may lie outside of what was measured, the range ends where the measurement does.
 *
 * @example
 * ```ts
 * import { crossingRange } from "./bench_crossing.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const points = [
 *   { dirtyFraction: 0.001, ratio: 0.1, low: 0.1, high: 10 },
 *   { dirtyFraction: 0.1, ratio: 10, low: 10, high: 10 },
 * ];
 * const { leastFraction, dirtyFraction, mostFraction } = crossingRange(points);
 * assertEquals([leastFraction, dirtyFraction!.toFixed(6), mostFraction!.toFixed(6)], [
 *   ...[0.001, "0.010000", "0.010000"],
 * ]);
 * ```
 *
 * @param points What was measured, in any order. Each ratio lies between its bounds.
 */
export function crossingRange(points: readonly SpreadPoint[]): CrossingRange {
  const { dirtyFraction, outcome } = crossingOf(points);
  if (dirtyFraction === null) {
    return { dirtyFraction, outcome, leastFraction: null, mostFraction: null };
  }
  const fractions = points.map((point) => point.dirtyFraction);
  const bound = (ratio: (point: SpreadPoint) => number, otherwise: number) =>
    crossingOf(points.map((point) => ({ ...point, ratio: ratio(point) }))).dirtyFraction ??
      otherwise;
  // Rounding must not put the fraction outside.
  return {
    dirtyFraction,
    outcome,
    leastFraction: Math.min(dirtyFraction, bound(({ high }) => high, Math.min(...fractions))),
    mostFraction: Math.max(dirtyFraction, bound(({ low }) => low, Math.max(...fractions))),
  };
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
  /**
   * The least fraction from which it may win: where quartiles of the ring's times that are high
   * meet those of the bitmap's that are low; `null` without a fraction.
   */
  readonly leastFraction: number | null;
  /** The greatest, the other way round. */
  readonly mostFraction: number | null;
  /** Which wins. `"crosses"`: first the ring, then the bitmap; `"unclear"`: none of the others. */
  readonly outcome: "crosses" | "ring" | "bitmap" | "unclear";
  /** The same for the ring with sorting. */
  readonly sorted: Omit<CostCrossover, "memoryBytes" | "sorted">;
}

/**
 * Finds the dirty fraction from which the bitmap wins, for each size of memory.
 *
 * @returns A crossover for each size, in the order of the cells.
 */
export function crossoversOf(cells: readonly CostCell[]): CostCrossover[] {
  return [...Map.groupBy(cells, ({ memoryBytes }) => memoryBytes)].map(([memoryBytes, inside]) => {
    const crossing = (sorted: boolean) =>
      named(crossingRange(
        inside.filter((cell) => cell.tracking === "ring" && cell.sorted === sorted).map((cell) =>
          pointOf(cell, inside)
        ),
      ));
    return { memoryBytes, ...crossing(false), sorted: crossing(true) };
  });
}

// The ratio of a ring's cell to the plain bitmap's of the same pages.
function pointOf(ring: CostCell, cells: readonly CostCell[]): SpreadPoint {
  const { dirtyFraction, dirtyPages, ratio, q1Ns, q3Ns } = ring;
  const bitmap = cells.find((cell) => cell.tracking === "bitmap" && cell.dirtyPages === dirtyPages);
  const bound = (time: number, of: number | undefined) =>
    of === undefined || of === 0 ? ratio : time / of;
  return {
    dirtyFraction,
    ratio,
    low: Math.min(ratio, bound(q1Ns, bitmap?.q3Ns)),
    high: Math.max(ratio, bound(q3Ns, bitmap?.q1Ns)),
  };
}

function named({ outcome, ...range }: CrossingRange): CostCrossover["sorted"] {
  const words = {
    crosses: "crosses",
    first: "ring",
    second: "bitmap",
    unclear: "unclear",
  } as const;
  return { ...range, outcome: words[outcome] };
}
