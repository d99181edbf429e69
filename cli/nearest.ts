// What a user may have meant by a word that nothing has for a name.
import { levenshteinDistance } from "@std/text/levenshtein-distance";

/** A word of so many letters may begin a longer one, and be meant by it. */
const LEAST_BEGINNING = 3;

/**
 * The word that a user may have meant: one that begins so, or that a slip or two lead to, an exchange
 * of letters among them.
 *
 * @example
 * ```ts
 * import { nearest } from "./nearest.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const words = ["check", "checkpoint", "dump"];
 * assertEquals([nearest("chekc", words), nearest("foo", words)], ["check", null]);
 * ```
 *
 * @param words The possible words.
 * @returns The nearest one, or `null` if all are far away.
 */
export function nearest(word: string, words: readonly string[]): string | null {
  const distances = words.map((one) => distance(word.toLowerCase(), one.toLowerCase()));
  const least = Math.min(...distances);
  const most = Math.max(1, Math.round(word.length / 3));
  return least <= most ? words[distances.indexOf(least)]! : null;
}

function distance(word: string, other: string): number {
  if (word === other) return 0;
  if (word.length >= LEAST_BEGINNING && other.startsWith(word)) return 0.5;
  const letters = (text: string) => [...text].sort().join("");
  // Letters in another order are one slip.
  if (letters(word) === letters(other)) return 1;
  return levenshteinDistance(word, other);
}
