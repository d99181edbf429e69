// Escapes what comes from outside, so that it cannot control a terminal.
/**
 * The longest value that is printed in full, in characters: the longest file name fits, with its
 * folder.
 */
const MOST = 400;

/**
 * What a terminal may not treat as plain text: control and format characters, line separators,
 * unpaired surrogates.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gv;
const UNPRINTABLE_OR_BACKSLASH = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\\]/gv;
/** As UNPRINTABLE, without the line end and the tab. */
const UNPRINTABLE_IN_TEXT = /[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]--[\n\t]]/gv;
/** The same without `g`, whose state would carry over from one test to the next. */
const HAS_UNPRINTABLE_IN_TEXT = /[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]--[\n\t]]/v;
/**
 * Text without any of these, as most output is. Checked first, since compiling a class above costs
 * a millisecond.
 */
const IS_ASCII_TEXT = /^[\n\t -~]*$/;

const NAMED: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\\": "\\\\",
};

/**
 * A character as in a JSON string: `\n`, `\u001b`. All escapes have this form. It means the same in
 * text for people and within a JSON string, so the filters need not know which of the two a text
 * is.
 *
 * @param character The character: one code point, or an unpaired surrogate.
 * @returns Its escape; two escapes for a code point outside the BMP.
 */
export function escaped(character: string): string {
  return NAMED[character] ?? character.split("")
    .map((half) => `\\u${half.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
}

/**
 * Makes a value from outside (a file, a name, an argument, a kernel, a process) safe as a part of a
 * line: unprintable characters are escaped, and a value that is too long is cut in the middle. A
 * backslash is doubled, so that different values look different. Use it for each value once, and
 * not for lines that already contain an escaped value.
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
 * @param most The most characters that are kept, counted before they are escaped.
 * @returns The value, on one line.
 */
export function printable(value: string, most = MOST): string {
  return cut(value, most).replaceAll(UNPRINTABLE_OR_BACKSLASH, escaped);
}

/**
 * Makes a value from outside safe, in quotes, for values that may be empty or end in spaces.
 *
 * @param most The most characters that are kept, as for {@linkcode printable}.
 * @returns The value on one line, as a JSON string.
 */
export function quoted(value: string, most = MOST): string {
  return `"${printable(value, most).replaceAll('"', '\\"')}"`;
}

/**
 * The longest line. The values in a line were cut before, but lines of another process were not.
 */
const MOST_OF_LINE = 4000;

/**
 * Makes a line safe that may hold text from outside. Line ends in it are escaped, too.
 *
 * @param line The line, without its line end.
 */
export function printableLine(line: string): string {
  return cut(line, MOST_OF_LINE).replaceAll(UNPRINTABLE, escaped);
}

/**
 * Makes lines safe, as {@linkcode printableLine} does, but keeps line ends and tabs.
 *
 * @param text The lines, or a part of them.
 * @returns The text; the same one if nothing is to be escaped.
 */
export function printableText(text: string): string {
  if (IS_ASCII_TEXT.test(text)) return text;
  return HAS_UNPRINTABLE_IN_TEXT.test(text) ? text.replaceAll(UNPRINTABLE_IN_TEXT, escaped) : text;
}

/**
 * Cuts a text that is too long in the middle, since both the beginning and the end of a path
 * matter.
 *
 * @param most The most characters of the result.
 * @returns The text, with an ellipsis for what was cut out.
 */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const end = Math.floor((most - 1) / 2);
  return `${text.slice(0, most - 1 - end)}…${text.slice(text.length - end)}`.toWellFormed();
}
