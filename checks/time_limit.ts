import { type Pace, slownessOf } from "./pace.ts";

/** The longest that a run of a check may take. */
export interface TimeLimit {
  /** Milliseconds. */
  readonly ms: number;
  /** Whether it was asked for, and so is not measured. */
  readonly given: boolean;
  /** How much slower than usual this host was measured to be, 1 at least; `null` where it was not. */
  readonly slowness: number | null;
}

/** The default on a host of usual speed. */
export const USUAL_LIMIT_MS = 10_000;

/**
 * A limit that was asked for.
 *
 * @param ms Milliseconds.
 * @returns The limit.
 */
export function givenLimit(ms: number): TimeLimit {
  return { ms, given: true, slowness: null };
}

/**
 * The default, which grows with how slow the host is.
 *
 * @param pace What it was measured to take; `null` where it could not be measured.
 * @returns The limit.
 */
export function measuredLimit(pace: Pace | null): TimeLimit {
  const slowness = pace === null ? null : slownessOf(pace);
  return { ms: Math.round(USUAL_LIMIT_MS * (slowness ?? 1)), given: false, slowness };
}

/**
 * A limit in words.
 *
 * @example
 * ```ts
 * import { limitText } from "./time_limit.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(limitText({ ms: 500, given: true, slowness: null }), "500 ms");
 * const measured = limitText({ ms: 12_000, given: false, slowness: 1.2 });
 * assertEquals(measured, "12 s (10 s × 1.2 for this host's speed)");
 * ```
 *
 * @param limit The limit.
 * @returns The words.
 */
export function limitText({ ms, given, slowness }: TimeLimit): string {
  if (given) return durationText(ms);
  if (slowness === null) return `${durationText(ms)} (this host's speed could not be measured)`;
  if (slowness === 1) return durationText(ms);
  return `${durationText(ms)} (${
    durationText(USUAL_LIMIT_MS)
  } × ${slowness} for this host's speed)`;
}

function durationText(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000} s` : `${ms} ms`;
}
