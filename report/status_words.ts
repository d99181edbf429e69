// The words with which lines of every command's text say how it went, and their colours.
import { linesOf } from "./layout.ts";
import type { Ink } from "./page.ts";

const WORDS: readonly (readonly [RegExp, keyof Ink])[] = [
  [/^ok(?=:)/, "good"],
  [/^(?:# )?(?:FAILED|PROBLEM|LOST|DIFFERENT|WRONG|MISMATCH|WORSE|NOT ok)(?=:)/, "bad"],
  [/^(?:failed|out of time|the kernel reported a problem)(?=:)/, "bad"],
  [/^(?:ended early|incomplete|not compared)(?=:)|^missing(?= )|^interrupted by SIG\w+/, "warn"],
  [/^not checked to the end/, "warn"],
];

/**
 * Colours the status words that lines begin with.
 *
 * @param chunks Text, in pieces that hold whole lines or parts of them.
 */
export function* withStatusInk(chunks: Iterable<string>, ink: Ink): Generator<string> {
  for (const line of linesOf(chunks)) yield statusInk(line, ink);
}

/**
 * Colours the status word that a line begins with, if it does.
 *
 * @example
 * ```ts
 * import { statusInk } from "./status_words.ts";
 * import { PLAIN } from "./page.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const ink = { ...PLAIN, good: (text: string) => `{${text}}` };
 * assertEquals(statusInk("ok: nothing lost", ink), "{ok}: nothing lost");
 * ```
 */
export function statusInk(line: string, ink: Ink): string {
  for (const [word, meaning] of WORDS) {
    const found = word.exec(line)?.[0];
    if (found !== undefined) return ink[meaning](found) + line.slice(found.length);
  }
  return line;
}
