// Scales and ticks of the axes of a plot.

import { sizeText } from "../table.ts";

/** A value on an axis that has a grid line; a major one also has a label. */
export interface Tick {
  /** The value. */
  readonly value: number;
  /** Whether it has a label. */
  readonly isMajor: boolean;
}

/** Maps values to places along an axis. */
export interface Scale {
  /** The value at the beginning of the axis. */
  readonly from: number;
  /** The value at its end. */
  readonly to: number;
  /** The ticks, in order. */
  readonly ticks: readonly Tick[];
  /**
   * Maps a value to its coordinate.
   *
   * @returns A coordinate; it is inside the axis for values from {@linkcode Scale.from} to
   * {@linkcode Scale.to}.
   */
  at(value: number): number;
}

/** Where an axis lies in the picture. */
export interface Extent {
  /** Coordinate of `from`. */
  readonly start: number;
  /** Coordinate of `to`; less than `start` for an axis that goes up. */
  readonly end: number;
}

/**
 * How much room a logarithmic scale leaves around its values, as factors, and how it is labelled.
 */
export interface LogMargin {
  /** Below the least value; 1 or more. */
  readonly below: number;
  /** Above the greatest value; 1 or more. */
  readonly above: number;
  /**
   * The least number of labels. If the axis has fewer powers, steps between them are labelled, too.
   */
  readonly labels?: number;
}

const EXACT = 1e-9;
/** Default for the least number of labels. */
const LABELS = 3;

/**
 * Makes a logarithmic scale that is wide enough for some values, with ticks at powers of its base.
 *
 * @example
 * ```ts
 * import { logScale } from "./scale.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const scale = logScale([1, 1000], { start: 0, end: 300 });
 * assertEquals([1, 10, 1000].map((value) => Math.round(scale.at(value))), [0, 100, 300]);
 * assertEquals(scale.ticks.filter((tick) => tick.isMajor).map((tick) => tick.value), [1, 10, 100, 1000]);
 * ```
 *
 * @param values The values, all above 0; at least one.
 * @param extent Where the axis lies.
 * @param margin How much room is left, and how many labels there are at least.
 * @param base 10, with minor ticks between powers; or 2, without.
 * @throws {RangeError} If there is no value, or one is not above 0.
 */
export function logScale(
  values: readonly number[],
  { start, end }: Extent,
  { below, above, labels = LABELS }: LogMargin = { below: 1, above: 1 },
  base: 2 | 10 = 10,
): Scale {
  const least = Math.min(...values);
  const greatest = Math.max(...values);
  if (!(least > 0 && greatest < Infinity)) {
    throw new RangeError(`Cannot scale ${least} to ${greatest}: expected numbers above 0`);
  }
  const [from, to] = widened(least / below, greatest * above, base);
  const span = Math.log(to / from);
  return {
    from,
    to,
    ticks: logTicks(from, to, base, labels),
    at: (value) => start + (end - start) * Math.log(value / from) / span,
  };
}

// Widens a range, so that an axis has some ticks even for a single value or for close ones.
function widened(from: number, to: number, base: 2 | 10): [number, number] {
  const least = base === 2 ? 4 : 3;
  const factor = Math.sqrt(Math.max(1, least / (to / from)));
  return [from / factor, to * factor];
}

// Powers have labels. If the axis has few powers, steps between them have labels, too.
function logTicks(from: number, to: number, base: 2 | 10, labels: number): Tick[] {
  const values: { value: number; step: number }[] = [];
  const first = Math.floor(Math.log(from) / Math.log(base) + EXACT);
  const last = Math.ceil(Math.log(to) / Math.log(base) - EXACT);
  for (let power = first; power <= last; power++) {
    for (let step = 1; step < base; step++) {
      const value = powerOf(base, power) * step;
      if (value < from * (1 - EXACT) || value > to * (1 + EXACT)) continue;
      values.push({ value, step });
    }
  }
  const labelled =
    [[1], [1, 2, 5]].find((steps) =>
      values.filter(({ step }) => steps.includes(step)).length >= labels
    ) ?? [1, 2, 3, 4, 5, 6, 7, 8, 9];
  return values.map(({ value, step }) => ({ value, isMajor: labelled.includes(step) }));
}

// 10 ** -3 is not exactly 0.001; 1 / 10 ** 3 is.
function powerOf(base: number, power: number): number {
  return power < 0 ? 1 / base ** -power : base ** power;
}

/**
 * Makes a linear scale from 0, with about four ticks at round values.
 *
 * @param most The greatest value, above 0.
 * @param extent Where the axis lies.
 * @returns The scale; it ends at a tick above the greatest value.
 * @throws {RangeError} If the value is not above 0.
 */
export function linearScale(most: number, { start, end }: Extent): Scale {
  if (!(most > 0 && most < Infinity)) {
    throw new RangeError(`Cannot scale 0 to ${most}: expected a number above 0`);
  }
  const power = 10 ** Math.floor(Math.log10(most / 4));
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((size) => most / size <= 5)!;
  const to = Math.ceil(most * 1.05 / step) * step;
  const ticks: Tick[] = [];
  for (let n = 0; n * step <= to * (1 + EXACT); n++) ticks.push({ value: n * step, isMajor: true });
  return { from: 0, to, ticks, at: (value) => start + (end - start) * value / to };
}

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/**
 * Formats a count for an axis with powers of ten.
 *
 * @example
 * ```ts
 * import { powerTick } from "./scale.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([1, 10, 20, 1000, 0.01].map(powerTick), ["1", "10", "20", "10³", "10⁻²"]);
 * ```
 *
 * @param value The count; a power of ten is written as a power.
 */
export function powerTick(value: number): string {
  const power = Math.round(Math.log10(value));
  if (Math.abs(value / 10 ** power - 1) > 1e-6) return groupedTick(value);
  if (power === 0 || power === 1) return `${10 ** power}`;
  const digits = [...`${Math.abs(power)}`].map((digit) => SUPERSCRIPTS[Number(digit)]).join("");
  return `10${power < 0 ? "⁻" : ""}${digits}`;
}

/**
 * Formats a time with its unit for an axis.
 *
 * @param ns Nanoseconds.
 * @returns Such as `100 ns`, `10 µs`, `1 ms`.
 */
export function timeTick(ns: number): string {
  for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["µs", 1e3]] as const) {
    if (ns >= size * (1 - 1e-9)) return `${rounded(ns / size)} ${unit}`;
  }
  return `${rounded(ns)} ns`;
}

/**
 * Formats a fraction in percent for an axis.
 *
 * @returns Such as `0.1 %`, `10 %`.
 */
export function percentTick(fraction: number): string {
  return `${rounded(fraction * 100)} %`;
}

/**
 * Formats a number in groups of three digits.
 *
 * @param value A whole number.
 * @returns Such as `65 536`, with a narrow no-break space.
 */
export function groupedTick(value: number): string {
  return `${Math.round(value)}`.replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/**
 * Formats an amount of memory for the head of a plot.
 *
 * @param bytes The amount.
 * @returns Such as `1 GiB`.
 */
export function memoryTick(bytes: number): string {
  return sizeText(bytes);
}

function rounded(value: number): string {
  return `${Number(value.toPrecision(3))}`;
}
