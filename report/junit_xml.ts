import { escapeXml } from "./xml.ts";

/**
 * A point in time as JUnit's schema wants it.
 *
 * @param when The point in time.
 * @returns It, in UTC, in seconds.
 */
export function timestamp(when: Date): string {
  return when.toISOString().slice(0, 19);
}

/**
 * A time as JUnit has it.
 *
 * @param ms Milliseconds.
 * @returns Seconds.
 */
export function seconds(ms: number): string {
  return (ms / 1000).toFixed(6);
}

/**
 * Attributes of an element.
 *
 * @param values Their values by name.
 * @returns The attributes, each with a space before it.
 */
export function attributes(values: Readonly<Record<string, string>>): string {
  return Object.entries(values).map(([name, value]) => ` ${name}="${escapeXml(value)}"`).join("");
}
