import type { Option } from "./option.ts";

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };
const HOUR_MS = 3_600_000;

/**
 * An option that takes a time with a unit: ms, s or m.
 *
 * @param help What it means.
 * @param fallback Its default in milliseconds.
 * @param fallbackText The default as help shows it.
 * @returns The option; its value is in milliseconds, 1 to an hour.
 */
export function duration(help: string, fallback: number, fallbackText: string): Option<number> {
  return { value: "TIME", help, fallback, fallbackText, parse: parseDuration };
}

/**
 * An option that takes a time with a unit and has no default of its own.
 *
 * @param help What it means.
 * @param fallbackText What help says where it is not given.
 * @returns The option.
 */
export function optionalDuration(help: string, fallbackText: string): Option<number | undefined> {
  return { value: "TIME", help, fallback: undefined, fallbackText, parse: parseDuration };
}

function parseDuration(text: string): number {
  const parts = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text);
  const ms = parts === null ? NaN : Number(parts[1]) * UNITS[parts[2]!]!;
  if (ms >= 1 && ms <= HOUR_MS) return ms;
  throw new SyntaxError("expected a time with a unit (500ms, 10s, 2m), from 1ms to 60m");
}
