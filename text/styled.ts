// The escape sequences with which this program colours text, and no others.
/**
 * What the program's ink puts around a text, by what it means: the numbers of the two sequences, to
 * begin and to end. A test holds them against what the ink prints.
 */
export const STYLES = {
  good: [32, 39],
  bad: [31, 39],
  warn: [33, 39],
  bold: [1, 22],
  dim: [2, 22],
  bar: [36, 39],
} as const;

/**
 * A coloured text as a pattern: it ends on its line, and holds no other escape sequence, so that no
 * colour runs into what follows.
 */
export const STYLED = "\\x1b\\[(?:3[1236]m[^\\x1b\\n]*\\x1b\\[39m|[12]m[^\\x1b\\n]*\\x1b\\[22m)";
/**
 * The beginning of a coloured text, as the end of a text, as a pattern. No line is longer than
 * this; what is longer is not waited for.
 */
export const STYLE_BEGUN: string = "\\x1b(?:\\[(?:[12]|3[1236]?)?|" +
  "\\[(?:[12]|3[1236])m[^\\x1b\\n]{0,4000}(?:\\x1b(?:\\[\\d{0,2})?)?)?$";

// deno-lint-ignore no-control-regex
const SEQUENCE = /\x1b\[[\d;]*[A-Za-z]/g;
const ESCAPE = "\x1b";

/**
 * A text without its escape sequences.
 *
 * @example
 * ```ts
 * import { unstyled } from "./styled.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(unstyled("\x1b[31mFAIL\x1b[39m  id"), "FAIL  id");
 * ```
 */
export function unstyled(text: string): string {
  return text.includes(ESCAPE) ? text.replaceAll(SEQUENCE, "") : text;
}

// deno-lint-ignore no-control-regex
const STYLE = /(\x1b\[\d+m)/;

/**
 * Takes a text apart into its escape sequences and what stands between them.
 *
 * @returns The parts, in order; each sequence is a part of its own.
 */
export function partsOf(text: string): string[] {
  return text.includes(ESCAPE) ? text.split(STYLE) : [text];
}

/**
 * The sequence that ends a colour.
 *
 * @param part A part of a text, as {@linkcode partsOf} gives it.
 * @returns The sequence; an empty text if the part ends a colour itself, and `null` if it is text.
 */
export function endOf(part: string): string | null {
  if (!part.startsWith(ESCAPE)) return null;
  const number = Number(part.slice(2, -1));
  const style = Object.values(STYLES).find(([begin]) => begin === number);
  return style === undefined ? "" : `\x1b[${style[1]}m`;
}
