import { closestString } from "@std/text/closest-string";
import { UsageError } from "../host/errors.ts";
import { printable } from "../text/printable.ts";

/**
 * The word that a user may have meant.
 *
 * @param words The possible words.
 * @returns The nearest one, or `null` if `words` is empty.
 */
export function nearest(word: string, words: readonly string[]): string | null {
  return words.length === 0 ? null : closestString(word, words, { caseSensitive: false });
}

/**
 * The error for a command that does not exist; it names the nearest one.
 *
 * @param names The existing commands.
 */
export function unknownCommand(name: string, names: readonly string[]): UsageError {
  const near = nearest(name, [...names, "help"]);
  return new UsageError(
    `unknown command ${printable(name)}; did you mean ${near}? (dirtyring help lists all)`,
  );
}
