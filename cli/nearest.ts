import { closestString } from "@std/text/closest-string";

/**
 * The word that a person may have meant.
 *
 * @param word What was written.
 * @param words What could have been.
 * @returns The nearest of them, or `null` where there is none at all.
 */
export function nearest(word: string, words: readonly string[]): string | null {
  return words.length === 0 ? null : closestString(word, words, { caseSensitive: false });
}
