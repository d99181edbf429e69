import type { PageNumbers } from "./page_numbers.ts";

/** Words that are looked at together: most of a bitmap is zero. */
const GROUP = 8;

/**
 * Turns a dirty bitmap into page numbers, in order: bit `n` of word `m` is page `first + 32 * m + n`. Groups
 * of words without a bit are passed over at the speed of memory; alone in its file for that.
 *
 * @example
 * ```ts
 * import { allocatePageNumbers } from "./page_numbers.ts";
 * import { scanBitmap } from "./scan_bitmap.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const into = allocatePageNumbers(64);
 * assertEquals(scanBitmap(Uint32Array.of(0x8000_0001, 2), 1000, into), 3);
 * assertEquals([...into.pages.subarray(0, into.length)], [1000, 1031, 1033]);
 * ```
 *
 * @param words The bitmap, in words of 32 bits, the low one of 64 first.
 * @param first The number of its first page.
 * @param into Gets the numbers, behind those that it holds; it has room for them.
 * @returns Bits that were set.
 */
export function scanBitmap(
  words: Uint32Array<ArrayBuffer>,
  first: number,
  into: PageNumbers,
): number {
  const { pages } = into;
  const before = into.length;
  let count = before;
  const whole = words.length - words.length % GROUP;
  for (let at = 0; at < words.length; at += GROUP) {
    if (at < whole) {
      const bits = words[at]! | words[at + 1]! | words[at + 2]! | words[at + 3]! |
        words[at + 4]! | words[at + 5]! | words[at + 6]! | words[at + 7]!;
      if (bits === 0) continue;
    }
    const end = Math.min(at + GROUP, words.length);
    for (let n = at; n < end; n++) {
      let word = words[n]!;
      while (word !== 0) {
        pages[count++] = first + n * 32 + 31 - Math.clz32(word & -word); // the lowest bit that is set
        word &= word - 1;
      }
    }
  }
  into.length = count;
  return count - before;
}
