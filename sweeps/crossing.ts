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
 * import { crossingOf } from "./crossing.ts";
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
