/**
 * A quantile of some numbers, between two of them where it falls there.
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
 * @param values The numbers, in any order; at least one.
 * @param share How much of them lies below it: 0 is the least, 1 the greatest.
 * @returns The quantile.
 * @throws {RangeError} Without a number.
 */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError("Cannot take a quantile of nothing");
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)]!;
  const above = sorted[Math.ceil(at)]!;
  return below + (above - below) * (at - Math.floor(at));
}

/**
 * The median: a few wild values, as a shared machine brings them, do not move it.
 *
 * @param values The numbers, in any order; at least one.
 * @returns The median.
 * @throws {RangeError} Without a number.
 */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}
