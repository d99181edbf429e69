import { closestString } from "@std/text/closest-string";
import { UsageError } from "../host/errors.ts";
import { printable } from "../text/printable.ts";

/**
 * The word that a person may have meant.
 *
 * @param words What could have been.
 * @returns The nearest of them, or `null` where there is none at all.
 */
export function nearest(word: string, words: readonly string[]): string | null {
  return words.length === 0 ? null : closestString(word, words, { caseSensitive: false });
}

/**
 * Names the nearest command of one that does not exist.
 *
 * @param names What exists.
 */
export function unknownCommand(name: string, names: readonly string[]): UsageError {
  const near = nearest(name, [...names, "help"]);
  return new UsageError(
    `unknown command ${printable(name)}; did you mean ${near}? (dirtyring help lists all)`,
  );
}
