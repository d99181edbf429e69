/** The longest value that stands whole in a line, in characters: the longest name of a file fits, with its folder. */
const MOST = 400;

/** What a terminal may take for more than a letter: control and format characters, line separators, half a surrogate pair. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gv;
const UNPRINTABLE_OR_BACKSLASH = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\\]/gv;
/** As above, but for the end of a line and the tab. */
const UNPRINTABLE_IN_TEXT = /[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]--[\n\t]]/gv;
/** The same without `g`, which would have it remember where it stopped. */
const HAS_UNPRINTABLE_IN_TEXT = /[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]--[\n\t]]/v;
/** What has none, as most of what is printed: to make one of the classes above costs a millisecond. */
const IS_ASCII_TEXT = /^[\n\t -~]*$/;

const NAMED: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\\": "\\\\",
};

/**
 * A character as JSON writes it in a string: `\n`, `\u001b`. The one form of all that is escaped here, since it means
 * the same in text for people and within a string of JSON, so that what guards all text need not know which of the two
 * it is.
 *
 * @param character The character: one code point, or half a surrogate pair.
 * @returns Its escape; two of them for a code point of two halves.
 */
export function escaped(character: string): string {
  return NAMED[character] ?? character.split("")
    .map((half) => `\\u${half.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
}

/**
 * A value from outside (a file, a name, an argument, a kernel, a process) as a part of a line: what is not a letter to a
 * terminal is escaped, and what is too long is cut in the middle. A backslash is doubled, so that no other value looks
 * the same; it is for values alone, once each, and not for lines that hold one already.
 *
 * @example
 * ```ts
 * import { printable } from "./printable.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(printable("a\x1b[2J\nok: a\\n\u202e"), "a\\u001b[2J\\nok: a\\\\n\\u202e");
 * assertEquals(printable("0123456789", 5), "01…89");
 * ```
 *
 * @param most The most characters that stand of it, before they are escaped.
 * @returns It, on one line.
 */
export function printable(value: string, most = MOST): string {
  return cut(value, most).replaceAll(UNPRINTABLE_OR_BACKSLASH, escaped);
}

/**
 * A value from outside between quotes, where it could be empty, or end in spaces.
 *
 * @param most As {@linkcode printable} has it.
 * @returns It, on one line, as JSON writes a string.
 */
export function quoted(value: string, most = MOST): string {
  return `"${printable(value, most).replaceAll('"', '\\"')}"`;
}

/** The longest line: what stands in it was cut before, but for what another process says. */
const MOST_OF_LINE = 4000;

/**
 * A line that may hold what came from outside, as one line: the ends of others in it are escaped, too.
 *
 * @param line The line, without its end.
 */
export function printableLine(line: string): string {
  return cut(line, MOST_OF_LINE).replaceAll(UNPRINTABLE, escaped);
}

/**
 * Lines, but for their ends and tabs escaped as {@linkcode printableLine} has it.
 *
 * @param text The lines, or a part of them.
 * @returns The same text where nothing is to be escaped.
 */
export function printableText(text: string): string {
  if (IS_ASCII_TEXT.test(text)) return text;
  return HAS_UNPRINTABLE_IN_TEXT.test(text) ? text.replaceAll(UNPRINTABLE_IN_TEXT, escaped) : text;
}

/**
 * A text that is too long, cut in the middle: the beginning of a path tells where it is, its end what.
 *
 * @param most The most characters that stand of it.
 * @returns It, with an ellipsis for what was cut out.
 */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const end = Math.floor((most - 1) / 2);
  return `${text.slice(0, most - 1 - end)}…${text.slice(text.length - end)}`.toWellFormed();
}
