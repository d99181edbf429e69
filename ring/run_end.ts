/**
 * Where a run of neighbouring pages ends.
 *
 * @example
 * ```ts
 * import { runEnd } from "./run_end.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(runEnd(Uint32Array.of(4, 5, 6, 9), 0), 3);
 * ```
 *
 * @param pages Page numbers, in order.
 * @param from The index of the run's first page.
 * @returns The index behind its last one.
 */
export function runEnd(pages: Uint32Array, from: number): number {
  let end = from + 1;
  while (end < pages.length && pages[end] === pages[end - 1]! + 1) end++;
  return end;
}
