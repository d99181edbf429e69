import { sizeText } from "../table.ts";

/** A place on an axis that has a line, and, if it is a major one, a label. */
export interface Tick {
  /** The value. */
  readonly value: number;
  /** Whether it has a label. */
  readonly isMajor: boolean;
}

/** How values become places along an axis. */
export interface Scale {
  /** The value at the beginning of the axis. */
  readonly from: number;
  /** The value at its end. */
  readonly to: number;
  /** The ticks, in order. */
  readonly ticks: readonly Tick[];
  /**
   * A value's place.
   *
   * @returns Where it is drawn: inside the axis for a value from {@linkcode Scale.from} to {@linkcode Scale.to}.
   */
  at(value: number): number;
}

/** Where an axis begins and ends in the picture. */
export interface Extent {
  /** Where `from` is drawn. */
  readonly start: number;
  /** Where `to` is drawn; less than `start` for an axis that goes up. */
  readonly end: number;
}

/** What a logarithmic scale leaves free beyond its values, as factors, and how it is labelled. */
export interface LogMargin {
  /** Below the least, 1 or more. */
  readonly below: number;
  /** Above the greatest. */
  readonly above: number;
  /** Labels that it has at least: where fewer powers lie on it, steps between them are labelled, too. */
  readonly labels?: number;
}

const EXACT = 1e-9;
/** Labels unless asked for. */
const LABELS = 3;

/**
 * A logarithmic scale, wide enough for some values, with ticks at powers of its base.
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
 * @param margin What is left free, and how many labels there are at least.
 * @param base 10, with minor ticks between powers; or 2, without.
 * @throws {RangeError} Where there is no value, or one is 0 or less.
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

// A single value, and values that lie close, have an axis with some ticks, too.
function widened(from: number, to: number, base: 2 | 10): [number, number] {
  const least = base === 2 ? 4 : 3;
  const factor = Math.sqrt(Math.max(1, least / (to / from)));
  return [from / factor, to * factor];
}

// Powers have labels; where few lie on the axis, steps between them do as well.
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

// 10 ** -3 is 0.001 only when it is divided.
function powerOf(base: number, power: number): number {
  return power < 0 ? 1 / base ** -power : base ** power;
}

/**
 * A scale from 0 on, with some four ticks at round values.
 *
 * @param most The greatest value, above 0.
 * @param extent Where the axis lies.
 * @returns The scale; it ends at a tick or above it.
 * @throws {RangeError} Where the value is 0 or less.
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
 * A count, as an axis with powers of ten shows it.
 *
 * @example
 * ```ts
 * import { powerTick } from "./scale.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([1, 10, 20, 1000, 0.01].map(powerTick), ["1", "10", "20", "10³", "10⁻²"]);
 * ```
 *
 * @param value The count; a power of ten is written as one.
 */
export function powerTick(value: number): string {
  const power = Math.round(Math.log10(value));
  if (Math.abs(value / 10 ** power - 1) > 1e-6) return groupedTick(value);
  if (power === 0 || power === 1) return `${10 ** power}`;
  const digits = [...`${Math.abs(power)}`].map((digit) => SUPERSCRIPTS[Number(digit)]).join("");
  return `10${power < 0 ? "⁻" : ""}${digits}`;
}

/**
 * A time with its unit, as an axis shows it.
 *
 * @param ns Nanoseconds.
 * @returns `100 ns`, `10 µs`, `1 ms`.
 */
export function timeTick(ns: number): string {
  for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["µs", 1e3]] as const) {
    if (ns >= size * (1 - 1e-9)) return `${rounded(ns / size)} ${unit}`;
  }
  return `${rounded(ns)} ns`;
}

/**
 * A fraction in percent, as an axis shows it.
 *
 * @returns `0.1 %`, `10 %`.
 */
export function percentTick(fraction: number): string {
  return `${rounded(fraction * 100)} %`;
}

/**
 * A number of many digits in groups of three.
 *
 * @param value A whole number.
 * @returns `65 536`, with a thin space that does not break.
 */
export function groupedTick(value: number): string {
  return `${Math.round(value)}`.replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/**
 * An amount of memory, as a head over a picture shows it.
 *
 * @param bytes The amount.
 * @returns `1 GiB`.
 */
export function memoryTick(bytes: number): string {
  return sizeText(bytes);
}

function rounded(value: number): string {
  return `${Number(value.toPrecision(3))}`;
}
