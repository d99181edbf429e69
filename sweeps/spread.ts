import { quantile } from "../lab/median.ts";

/** How some values spread. */
export interface Spread {
  /** Their median. */
  readonly median: number;
  /** The least. */
  readonly min: number;
  /** The greatest. */
  readonly max: number;
  /** A quarter of them lies below. */
  readonly q1: number;
  /** A quarter of them lies above. */
  readonly q3: number;
}

/**
 * How some values spread.
 *
 * @example
 * ```ts
 * import { spreadOf } from "./spread.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(spreadOf([5, 1, 3, 2, 4]), { median: 3, min: 1, max: 5, q1: 2, q3: 4 });
 * ```
 *
 * @param values The values, in any order.
 * @returns Their spread; quantiles between two values are interpolated.
 * @throws {RangeError} Where there is none.
 */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError("Cannot tell the spread of no values");
  return {
    median: quantile(values, 0.5),
    min: quantile(values, 0),
    max: quantile(values, 1),
    q1: quantile(values, 0.25),
    q3: quantile(values, 0.75),
  };
}
