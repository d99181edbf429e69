/** Bytes of a guest page. A test holds it, and the next, against ffi/, which this folder does not import. */
export const PAGE_BYTES = 4096;
/** Bytes of a ring's entry. */
export const ENTRY_BYTES = 16;

const SIZES = ["bytes", "KiB", "MiB", "GiB", "TiB"] as const;

/**
 * An amount of memory for people: exact, in the largest unit that needs no more than two places.
 *
 * @example
 * ```ts
 * import { sizeText } from "./units.ts";
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
 * A time for people: three digits.
 *
 * @example
 * ```ts
 * import { timeText } from "./units.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([timeText(8.25), timeText(12345), timeText(null)], ["8.25 ns", "12.3 µs", "-"]);
 * ```
 *
 * @param ns Nanoseconds, or `null` where there is no time.
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
 * A mean or a ratio for people: three digits.
 *
 * @param value The value, or `null` where there is none.
 * @returns Its text.
 */
export function numberText(value: number | null): string {
  return value === null ? "-" : Number.isInteger(value) ? `${value}` : digits(value);
}

// Three digits, and no exponent.
function digits(value: number): string {
  return value < 999.5 ? value.toPrecision(3) : value.toFixed(0);
}

/**
 * A count with its noun.
 *
 * @param count How many.
 * @param noun The noun, for one.
 * @param nouns The noun, for many; with an s by default.
 * @returns `1 page`, `2 pages`.
 */
export function countText(count: number, noun: string, nouns = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : nouns}`;
}
