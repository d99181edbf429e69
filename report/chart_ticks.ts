import { sizeText } from "./units.ts";

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/**
 * A count, as an axis with powers of ten shows it.
 *
 * @example
 * ```ts
 * import { powerTick } from "./chart_ticks.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([1, 10, 20, 1000, 0.01].map(powerTick), ["1", "10", "20", "10³", "10⁻²"]);
 * ```
 *
 * @param value The count; a power of ten is written as one.
 * @returns Its text.
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
 * @param fraction The fraction.
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
