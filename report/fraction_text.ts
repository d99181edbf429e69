/**
 * A fraction in percent, two digits.
 *
 * @example
 * ```ts
 * import { fractionText } from "./fraction_text.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([0.5, 0.00123, 0.00000381].map(fractionText), ["50 %", "0.12 %", "0.00038 %"]);
 * ```
 *
 * @param fraction The fraction, above 0.
 * @returns Its text.
 */
export function fractionText(fraction: number): string {
  const percent = fraction * 100;
  if (percent >= 10) return `${percent.toFixed(0)} %`;
  // Two digits without an exponent.
  const places = 1 - Math.floor(Math.log10(percent));
  return `${Number(percent.toFixed(places)).toFixed(places).replace(/\.?0+$/, "")} %`;
}
