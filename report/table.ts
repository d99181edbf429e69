// Tables, bars, and numbers with units, as text for people.

import { cut, printableLine } from "../text/printable.ts";

/** The alignment of a column. */
export type Align = "left" | "right";

/**
 * Formats rows of text as aligned columns, two spaces apart. Lines have no spaces at their ends.
 *
 * @example
 * ```ts
 * import { table } from "./table.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const lines = [...table([["vCPU", "entries"], ["0", "256"]], ["left", "right"])];
 * assertEquals(lines, ["vCPU  entries\n", "0         256\n"]);
 * ```
 *
 * @param rows The rows, including the head.
 * @param aligns The alignment of each column.
 * @param indent What every line begins with.
 * @returns Lines with their ends.
 */
export function* table(
  rows: readonly (readonly string[])[],
  aligns: readonly Align[],
  indent = "",
): Generator<string> {
  const widths = new Array<number>(aligns.length).fill(0);
  for (const row of rows) {
    for (let n = 0; n < row.length; n++) widths[n] = Math.max(widths[n]!, row[n]!.length);
  }
  for (const row of rows) {
    let line = indent;
    for (let n = 0; n < row.length; n++) {
      const cell = aligns[n] === "right"
        ? row[n]!.padStart(widths[n]!)
        : row[n]!.padEnd(widths[n]!);
      line += n === 0 ? cell : `  ${cell}`;
    }
    yield `${line.trimEnd()}\n`;
  }
}

const FULL = "█";

/**
 * Draws a bar of blocks.
 *
 * @example
 * ```ts
 * import { bar } from "./table.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([bar(1, 2, 4), bar(0.01, 2, 4), bar(0, 2, 4)], ["██", "█", ""]);
 * ```
 *
 * @param value The value that the bar shows, 0 or more.
 * @param most The value of a full bar.
 * @param width Number of blocks in a full bar.
 * @returns The bar: at least one block, unless the value is 0.
 */
export function bar(value: number, most: number, width: number): string {
  if (value <= 0 || most <= 0) return "";
  return FULL.repeat(Math.min(width, Math.max(1, Math.round(value / most * width))));
}

/**
 * Draws a gauge: a frame of cells with a bar inside, in steps of an eighth of a cell.
 *
 * @example
 * ```ts
 * import { gauge } from "./table.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([gauge(0.5, 4), gauge(1 / 32, 4), gauge(2, 4)], ["▕██  ▏", "▕▏   ▏", "▕████▏"]);
 * ```
 *
 * @param part The filled part, from 0 to 1; values beyond are clamped.
 * @param cells Number of cells in the frame.
 * @returns The bar with the two edges of the frame.
 */
export function gauge(part: number, cells: number): string {
  const eighths = Math.round(Math.min(Math.max(part, 0), 1) * cells * 8);
  const full = Math.floor(eighths / 8);
  const rest = eighths % 8 === 0 ? "" : " ▏▎▍▌▋▊▉"[eighths % 8]!;
  return `▕${(FULL.repeat(full) + rest).padEnd(cells)}▏`;
}

/**
 * Size of a guest page in bytes. This folder does not import ffi/, so a test compares this and
 * {@linkcode ENTRY_BYTES} with it.
 */
export const PAGE_BYTES = 4096;
/** Size of a ring's entry in bytes. */
export const ENTRY_BYTES = 16;

const SIZES = ["bytes", "KiB", "MiB", "GiB", "TiB"] as const;

/**
 * Formats an amount of memory for people: exact, in the largest unit that needs at most two decimal
 * places.
 *
 * @example
 * ```ts
 * import { sizeText } from "./table.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([512, 16515072, 4095 * 2 ** 20].map(sizeText), ["512 bytes", "15.75 MiB", "4095 MiB"]);
 * ```
 *
 * @param bytes The amount.
 * @returns The amount with a unit.
 */
export function sizeText(bytes: number): string {
  let unit = 0;
  let amount = bytes;
  while (amount >= 1024 && unit < SIZES.length - 1 && Number.isInteger(amount / 1024 * 100)) {
    amount /= 1024;
    unit++;
  }
  return `${amount} ${SIZES[unit]}`;
}

/**
 * Formats a time for people, with three digits.
 *
 * @example
 * ```ts
 * import { timeText } from "./table.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([timeText(8.25), timeText(12345), timeText(null)], ["8.25 ns", "12.3 µs", "-"]);
 * ```
 *
 * @param ns Nanoseconds; `null` for no time.
 * @returns The time with a unit.
 */
export function timeText(ns: number | null): string {
  if (ns === null) return "-";
  if (ns < 1e3) return `${digits(ns)} ns`;
  if (ns < 1e6) return `${digits(ns / 1e3)} µs`;
  if (ns < 1e9) return `${digits(ns / 1e6)} ms`;
  return `${digits(ns / 1e9)} s`;
}

/**
 * Formats a mean or a ratio for people, with three digits.
 *
 * @param value The value; `null` for none.
 */
export function numberText(value: number | null): string {
  return value === null ? "-" : Number.isInteger(value) ? `${value}` : digits(value);
}

// Three digits, and no exponent.
function digits(value: number): string {
  return value < 999.5 ? value.toPrecision(3) : value.toFixed(0);
}

/**
 * Formats a count with its noun.
 *
 * @param nouns The plural; with an s by default.
 * @returns Such as `1 page`, `2 pages`.
 */
export function countText(count: number, noun: string, nouns = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : nouns}`;
}

/**
 * Formats a fraction in percent, with two digits.
 *
 * @example
 * ```ts
 * import { fractionText } from "./table.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([0.5, 0.00123, 0.00000381].map(fractionText), ["50 %", "0.12 %", "0.00038 %"]);
 * ```
 *
 * @param fraction The fraction, above 0.
 */
export function fractionText(fraction: number): string {
  const percent = fraction * 100;
  if (percent >= 10) return `${percent.toFixed(0)} %`;
  // Two digits without an exponent.
  const places = 1 - Math.floor(Math.log10(percent));
  return `${Number(percent.toFixed(places)).toFixed(places).replace(/\.?0+$/, "")} %`;
}

/** The most characters of a text that becomes one line. */
const MOST = 2000;

/**
 * Formats a text as one line that is safe for a terminal: line breaks become semicolons, other
 * control characters are escaped, and a long text is cut in the middle.
 *
 * @example
 * ```ts
 * import { oneLine } from "./table.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(oneLine("it failed:\n  \x1b[31mno memory"), "it failed:; \\u001b[31mno memory");
 * ```
 */
export function oneLine(text: string): string {
  return printableLine(cut(text, MOST).replaceAll(/\s*[\r\n\u2028\u2029]+\s*/g, "; "));
}
