const FULL = "█";

/**
 * A bar of blocks.
 *
 * @example
 * ```ts
 * import { bar } from "./bar.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([bar(1, 2, 4), bar(0.01, 2, 4), bar(0, 2, 4)], ["██", "█", ""]);
 * ```
 *
 * @param value What it stands for, zero or more.
 * @param most What a bar of full width stands for.
 * @param width Blocks of that bar.
 * @returns The bar: one block at least, unless the value is zero.
 */
export function bar(value: number, most: number, width: number): string {
  if (value <= 0 || most <= 0) return "";
  return FULL.repeat(Math.min(width, Math.max(1, Math.round(value / most * width))));
}
