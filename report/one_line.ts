import { cut, printableLine } from "../text/printable.ts";

/** The longest text of several lines that is printed as one, in characters. */
const MOST = 2000;

/**
 * A text as one line that a terminal shows as it is: line breaks become semicolons, other control characters are
 * escaped, and what is too long is cut in the middle.
 *
 * @example
 * ```ts
 * import { oneLine } from "./one_line.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(oneLine("it failed:\n  \x1b[31mno memory"), "it failed:; \\u001b[31mno memory");
 * ```
 *
 * @param text The text.
 * @returns The line.
 */
export function oneLine(text: string): string {
  return printableLine(cut(text, MOST).replaceAll(/\s*[\r\n\u2028\u2029]+\s*/g, "; "));
}
