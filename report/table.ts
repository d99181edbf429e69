// Tables, bars, and numbers with units, as text for people.
//
// @std/fmt was looked at for the numbers: its `bytes` rounds to three digits and writes a number of
// bytes as kB, where a size here is exact; its `duration` lists every unit ("1s 250ms 0µs 12ns"),
// where three digits with one unit are wanted; `printf` has no engineering notation. They print
// nothing that is wanted here.

import { cut, printableLine } from "../text/printable.ts";
import { padTo, widthOf, wrap } from "./layout.ts";
import { type Page, PLAIN_PAGE } from "./page.ts";

/**
 * The alignment of a column, and what becomes of it where the terminal is too narrow: `prose` is
 * text that may be broken into lines, `bar` a bar that may be shorter or missing. What is left or
 * right is never cut.
 */
export type Align = "left" | "right" | "prose" | "bar";

/** How a table is written. */
export interface TableStyle {
  /** Where it is written; on a terminal it fits the width. */
  readonly page?: Page;
  /** How many of its first rows are its head. */
  readonly heads?: number;
  /**
   * How many of its first columns name its rows: they stand before each group of columns where the
   * table is too wide.
   */
  readonly keys?: number;
}

const GAP = 2;
/** The least columns of a text that is broken into lines. */
const LEAST_PROSE = 24;
/** The least blocks of a full bar. */
const LEAST_BAR = 8;

/**
 * Formats rows of text as aligned columns, two spaces apart. Lines have no spaces at their ends.
 * Where they would be longer than the page is wide, bars are drawn shorter, prose is broken into
 * lines, bars are left out, and columns that still do not fit follow below, as a table of their own.
 *
 * @example
 * ```ts
 * import { table } from "./table.ts";
 * import { PLAIN_PAGE } from "./page.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const rows = [["vCPU", "entries"], ["0", "256"]];
 * assertEquals([...table(rows, ["left", "right"])], ["vCPU  entries\n", "0         256\n"]);
 * const page = { ...PLAIN_PAGE, columns: 60 };
 * const wide = [["1", "x".repeat(40), "y".repeat(40)]];
 * assertEquals([...table(wide, ["left", "left", "left"], "", { page })], [
 *   `1  ${"x".repeat(40)}\n`,
 *   "\n",
 *   `1  ${"y".repeat(40)}\n`,
 * ]);
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
  { page = PLAIN_PAGE, heads = 0, keys = 1 }: TableStyle = {},
): Generator<string> {
  const room = page.columns === null ? null : page.columns - indent.length;
  const columns = aligns.map((align, n) => {
    const width = widest(rows, n);
    return { n, align, width, most: width, least: width };
  });
  const groups = room === null || total(columns) <= room
    ? [columns]
    : groupsOf(columns.map((column) => ({ ...column, least: leastOf(column, rows) })), room, keys);
  yield* groupLines(rows, groups[0]!, indent, page, heads);
  for (const group of groups.slice(1)) {
    const first = group[keys]!;
    const own = rows.map((row, r) => r < heads - 1 ? spanning(row, first) : row)
      .filter((row) => !isEmptyBeside(row, group, keys));
    const head = widest(own.slice(0, heads), first.n);
    const wide = { ...first, width: Math.max(first.width, head) };
    yield "\n";
    yield* groupLines(own, group.with(keys, wide), indent, page, heads);
  }
}

// The width of the widest cell of a column. There may be more rows than a call takes arguments.
function widest(rows: readonly (readonly string[])[], n: number): number {
  let width = 0;
  for (const row of rows) width = Math.max(width, widthOf(row[n] ?? ""));
  return width;
}

function* groupLines(
  rows: readonly (readonly string[])[],
  group: readonly Column[],
  indent: string,
  page: Page,
  heads: number,
): Generator<string> {
  for (const [r, row] of rows.entries()) yield* rowLines(row, group, indent, page, r < heads);
}

// Whether a row of a further group has its names alone.
function isEmptyBeside(row: readonly string[], group: readonly Column[], keys: number): boolean {
  const isBlank = ({ n }: Column) => (row[n] ?? "") === "";
  return group.slice(keys).every(isBlank) && !group.slice(0, keys).every(isBlank);
}

// An upper head stands above several columns; where they are parted it stands above both parts.
function spanning(row: readonly string[], first: Column): readonly string[] {
  if (row[first.n] !== "") return row;
  const above = row.slice(0, first.n).findLast((cell) => cell !== "") ?? "";
  return row.toSpliced(first.n, 1, above);
}

/** A column of a table. */
interface Column {
  /** Its number in the rows. */
  readonly n: number;
  readonly align: Align;
  /** Its width in this table. */
  readonly width: number;
  /** The width of its widest cell. */
  readonly most: number;
  /** The least width that it may have. */
  readonly least: number;
}

const total = (columns: readonly Column[]) =>
  columns.reduce((sum, { width }) => sum + width, GAP * (columns.length - 1));

// The columns, in groups that fit below each other.
function groupsOf(columns: readonly Column[], room: number, keys: number): Column[][] {
  const narrow = columns.map((column) => ({ ...column, width: column.least }));
  if (total(narrow) <= room) return [widened(narrow, room)];
  // The numbers of a bar stand there as well.
  const numbers = narrow.filter(({ align }) => align !== "bar");
  const names = numbers.slice(0, keys);
  const groups: Column[][] = [];
  let group: Column[] = names;
  for (const column of numbers.slice(keys)) {
    if (total([...group, column]) > room && group.length > names.length) {
      groups.push(group);
      group = names;
    }
    group = [...group, column];
  }
  return [...groups, group].map((one) => widened(one, room));
}

function leastOf({ n, align, width }: Column, rows: readonly (readonly string[])[]): number {
  if (align === "bar") return Math.min(width, LEAST_BAR);
  if (align !== "prose" || width <= LEAST_PROSE) return width;
  const words = rows.flatMap((row) => (row[n] ?? "").split(" ")).map((word) => [word]);
  return Math.max(LEAST_PROSE, widest(words, 0));
}

// Gives the room that is left to the columns that could use it, the narrowest first.
function widened(columns: readonly Column[], room: number): Column[] {
  let left = room - total(columns);
  const short = columns.filter(({ width, most }) => width < most)
    .sort((a, b) => (a.most - a.width) - (b.most - b.width));
  const widths = new Map<number, number>();
  for (const [n, column] of short.entries()) {
    const more = Math.max(
      0,
      Math.min(column.most - column.width, Math.floor(left / (short.length - n))),
    );
    left -= more;
    widths.set(column.n, column.width + more);
  }
  return columns.map((column) => ({ ...column, width: widths.get(column.n) ?? column.width }));
}

function* rowLines(
  row: readonly string[],
  columns: readonly Column[],
  indent: string,
  { ink }: Page,
  isHead: boolean,
): Generator<string> {
  const cells = columns.map((column) => {
    const lines = cellLines(row[column.n] ?? "", column);
    if (isHead) return lines.map((line) => line === "" ? line : ink.bold(line));
    return column.align === "bar" ? lines.map((line) => line === "" ? line : ink.bar(line)) : lines;
  });
  const height = Math.max(1, ...cells.map(({ length }) => length));
  for (let n = 0; n < height; n++) {
    const line = columns.map(({ align, width }, c) =>
      padTo(cells[c]![n] ?? "", width, align === "right" ? "right" : "left")
    );
    yield `${indent}${line.join(" ".repeat(GAP))}`.trimEnd() + "\n";
  }
}

function cellLines(cell: string, { align, width, most }: Column): string[] {
  if (align === "prose") return wrap(cell, { columns: width, hang: "" });
  if (align !== "bar" || width === most || !cell.startsWith(FULL)) return [cell];
  return [FULL.repeat(Math.max(1, Math.round(cell.length / most * width)))];
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
