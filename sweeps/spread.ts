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
  const inOrder = values.toSorted((a, b) => a - b);
  const quantile = (share: number) => {
    const place = share * (inOrder.length - 1);
    const below = inOrder[Math.floor(place)]!;
    return below + (inOrder[Math.ceil(place)]! - below) * (place % 1);
  };
  return {
    median: quantile(0.5),
    min: inOrder[0]!,
    max: inOrder.at(-1)!,
    q1: quantile(0.25),
    q3: quantile(0.75),
  };
}
