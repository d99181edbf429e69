/**
 * The median of some values: of an even number, the mean of the middle two.
 *
 * @param values The values, in any order.
 * @returns Their median, or `null` where there is none.
 */
export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
