/**
 * A quantile of some values, between two of them where it falls there.
 *
 * @example
 * ```ts
 * import { quantile } from "./median.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(quantile([3, 1, 2], 0.5), 2);
 * assertEquals(quantile([4, 1, 2, 3], 0.5), 2.5);
 * ```
 *
 * @param values The values, in any order; at least one.
 * @param share How much of them lies below it: 0 is the least, 1 the greatest.
 * @returns The quantile.
 * @throws {RangeError} Without a value.
 */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError("Cannot take a quantile of nothing");
  const sorted = values.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const below = sorted[Math.floor(place)]!;
  return below + (sorted[Math.ceil(place)]! - below) * (place % 1);
}

/**
 * The median, which a few wild values do not move: a shared machine brings some.
 *
 * @param values The values, in any order.
 * @returns Their median, or `null` where there is none.
 */
export function median(values: readonly number[]): number | null {
  return values.length === 0 ? null : quantile(values, 0.5);
}
