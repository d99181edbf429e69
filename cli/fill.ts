// Text that is broken into lines between words, for help: paragraphs, and tables of two columns.

/** Where lines begin and end. */
export interface Measure {
  /** The most characters of a line. */
  readonly width: number;
  /** What the first line begins with. */
  readonly first?: string;
  /** What the other lines begin with. */
  readonly indent?: string;
}

/**
 * Breaks a text into lines between words. A word that is longer than a line stands alone on one.
 *
 * @example
 * ```ts
 * import { fill } from "./fill.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...fill("a ring is full", { width: 8, indent: "  " })], ["a ring\n", "  is\n", "  full\n"]);
 * ```
 *
 * @returns Lines with their ends; one without words if there are none.
 */
export function* fill(
  text: string,
  { width, first = "", indent = "" }: Measure,
): Generator<string> {
  let line = first;
  let begin = first;
  for (const word of text.split(/\s+/)) {
    if (line !== begin && line.length + 1 + word.length > width) {
      yield `${line}\n`;
      line = begin = indent;
    }
    line += line === begin ? word : ` ${word}`;
  }
  yield `${line.trimEnd()}\n`;
}

/** The widest first column that a second one stands beside, as a part of the width. */
const MOST = 0.34;

/**
 * Formats rows of two columns. The second is broken into lines that begin where it does; it begins a
 * line lower where the first is too long.
 *
 * @example
 * ```ts
 * import { columns } from "./fill.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const rows = [["dump", "lists the rings"], ["checkpoint", "a replica"]] as const;
 * assertEquals([...columns(rows, { width: 18, indent: " " })], [
 *   " dump  lists the\n",
 *   "       rings\n",
 *   " checkpoint\n",
 *   "       a replica\n",
 * ]);
 * ```
 *
 * @param rows The rows.
 * @returns Lines with their ends.
 */
export function* columns(
  rows: readonly (readonly [string, string])[],
  { width, indent = "" }: Measure,
): Generator<string> {
  const most = Math.floor(width * MOST);
  const lengths = rows.map(([left]) => left.length).filter((length) => length <= most);
  const left = Math.max(4, ...lengths);
  const hanging = `${indent}${" ".repeat(left)}  `;
  for (const [what, meaning] of rows) {
    const isBeside = what.length <= left;
    if (!isBeside) yield `${indent}${what}\n`;
    const first = isBeside ? `${indent}${what.padEnd(left)}  ` : hanging;
    yield* fill(meaning, { width, first, indent: hanging });
  }
}
