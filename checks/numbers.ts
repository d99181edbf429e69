/**
 * Numbers in a row: pages, most often.
 *
 * @example
 * ```ts
 * import { numbers } from "./numbers.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([numbers(3), numbers(2, 7)], [[0, 1, 2], [7, 8]]);
 * ```
 *
 * @param count How many.
 * @param first The first one.
 * @returns The numbers.
 */
export function numbers(count: number, first = 0): number[] {
  return Array.from({ length: count }, (_, n) => first + n);
}

/**
 * Numbers in ascending order: a processor's log may come to the ring backwards.
 *
 * @param list The numbers.
 * @returns A sorted copy.
 */
export function ascending(list: readonly number[]): number[] {
  return list.toSorted((a, b) => a - b);
}
