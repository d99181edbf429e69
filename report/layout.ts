// Text that fits a terminal: widths, wrapping between words, cutting. Colours have no width, and end
// on their line.
import { endOf, partsOf, unstyled } from "../text/styled.ts";

/** What this program itself prints: ASCII, Latin letters and signs, dashes, an arrow, blocks. */
const ONE_WIDE = /^[ -~\u00a1-\u00ac\u00ae-\u02ff\u2010-\u2027\u2192\u2500-\u259f]*$/;

/** Characters that take no column, and those that take two. */
interface Widths {
  readonly none: RegExp;
  readonly two: RegExp;
}

let widths: Widths | undefined;

// Made when it is needed: to look up such properties takes milliseconds, which every start of the
// program would pay for a literal.
function unusualWidths(): Widths {
  return widths ??= {
    none: new RegExp("^[\\p{Mn}\\p{Me}\\p{Cf}]$", "v"),
    two: new RegExp(
      "^[\\p{Emoji_Presentation}\\p{Script=Han}\\p{Script=Hangul}\\p{Script=Hira}\\p{Script=Kana}" +
        "\\u3000-\\u303e\\uff01-\\uff60\\uffe0-\\uffe6]$",
      "v",
    ),
  };
}

/**
 * The columns that a text takes.
 *
 * @example
 * ```ts
 * import { widthOf } from "./layout.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([widthOf("12.3 µs"), widthOf("\x1b[31mFAIL\x1b[39m"), widthOf("環")], [7, 4, 2]);
 * ```
 *
 * @param text A line, or a part of one.
 */
export function widthOf(text: string): number {
  const plain = unstyled(text);
  if (ONE_WIDE.test(plain)) return plain.length;
  const { none, two } = unusualWidths();
  let width = 0;
  for (const one of plain) width += none.test(one) ? 0 : two.test(one) ? 2 : 1;
  return width;
}

/** Fills a text up with spaces to a width. */
export function padTo(text: string, width: number, align: "left" | "right"): string {
  const spaces = " ".repeat(Math.max(0, width - widthOf(text)));
  return align === "right" ? `${spaces}${text}` : `${text}${spaces}`;
}

/**
 * Cuts a text at a width; a colour that is cut ends there.
 *
 * @param text A line, without its end.
 */
export function cutTo(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let cut = "";
  let left = width;
  let end = "";
  for (const part of partsOf(text)) {
    const ends = endOf(part);
    if (ends !== null) {
      cut += part;
      end = ends;
      continue;
    }
    for (const one of part) {
      left -= widthOf(one);
      if (left < 0) return cut + end;
      cut += one;
    }
  }
  return cut;
}

/** Spaces and a word. A number is no word without its unit. */
const WORD = /( *)([^ ]*\d (?:ns|µs|ms|s|%|bytes|[KMGT]iB)(?![^ ,;:.)])[^ ]*|[^ ]+)/g;

/** How a text is broken into lines. */
export interface Wrapping {
  /** The most columns of a line. */
  readonly columns: number;
  /** What every line but the first begins with. */
  readonly hang: string;
}

/**
 * Breaks a line between words. A word that is longer than a line stays whole, so that it can be
 * copied.
 *
 * @example
 * ```ts
 * import { wrap } from "./layout.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(wrap("lab     long64 guest, 2 vCPUs", { columns: 18, hang: "  " }), [
 *   "lab     long64",
 *   "  guest, 2 vCPUs",
 * ]);
 * ```
 *
 * @param line The line, without its end.
 * @returns Lines without their ends; the first begins as the line does.
 */
export function wrap(line: string, { columns, hang }: Wrapping): string[] {
  const lines: string[] = [];
  let made = "";
  let width = 0;
  let isBegun = false;
  // The colour that goes on: its two sequences.
  let begun = "";
  let end = "";
  for (const [whole, spaces, word] of line.matchAll(WORD)) {
    const wide = widthOf(word!);
    if (isBegun && width + spaces!.length + wide > columns) {
      lines.push(made + end);
      made = `${hang}${end === "" ? "" : begun}${word}`;
      width = widthOf(hang) + wide;
    } else {
      made += whole;
      width += spaces!.length + wide;
    }
    isBegun = true;
    for (const part of partsOf(word!)) {
      const ends = endOf(part);
      if (ends === null) continue;
      end = ends;
      begun = part;
    }
  }
  lines.push(made);
  return lines;
}

/**
 * Lines that fit a terminal: what is longer is broken between words, and goes on below where its
 * text began. A line that is to be copied stays as it is.
 *
 * @param chunks Text, in pieces that hold whole lines or parts of them.
 * @param columns The terminal's width.
 * @returns Lines with their ends; the last may lack it, as the text does.
 */
export function* fitted(chunks: Iterable<string>, columns: number): Generator<string> {
  for (const line of linesOf(chunks)) {
    yield line.endsWith("\n")
      ? `${fittedLine(line.slice(0, -1), columns)}\n`
      : fittedLine(line, columns);
  }
}

/**
 * Puts pieces of text together to lines.
 *
 * @returns Lines with their ends; the last may lack it.
 */
export function* linesOf(chunks: Iterable<string>): Generator<string> {
  let rest = "";
  for (const chunk of chunks) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    for (const line of lines) yield `${line}\n`;
  }
  if (rest !== "") yield rest;
}

/**
 * Whether a line is to be copied, and so stays whole, however long: one of JSON, or a command of
 * `again.ts`.
 */
export function isCopied(line: string): boolean {
  return /^(?:\{|(?:again|trace-cmd|bpftrace): )/.test(line);
}

/** Labels such as `kernel` and `lab` take this many columns. */
const LABEL = 8;
/** Where a text may begin that others are to begin below, as a part of the width. */
const MOST_HANG = 0.6;

/**
 * A line that fits a terminal, as {@linkcode fitted} makes it.
 *
 * @param line The line, without its end.
 * @param hang What the lines below begin with; by default what their text begins below.
 * @returns Lines without the last end.
 */
export function fittedLine(line: string, columns: number, hang: string | null = null): string {
  if (line.length <= columns || isCopied(line) || widthOf(line) <= columns) return line;
  return wrap(line, { columns, hang: hang ?? hangOf(unstyled(line), columns) }).join("\n");
}

// A column of text begins behind two spaces or more; the last that leaves room counts.
function hangOf(line: string, columns: number): string {
  const [, comment, spaces] = /^((?:# )?)( *)/.exec(line)!;
  const begin = comment!.length + spaces!.length;
  // What is far in stands below a label already.
  let hang = begin + (begin < LABEL ? 2 : 0);
  for (const { index, 0: gap } of line.slice(begin).matchAll(/ {2,}/g)) {
    const text = begin + index + gap.length;
    if (text <= columns * MOST_HANG) hang = text;
  }
  return comment!.padEnd(Math.min(hang, columns >> 1));
}
