import type { Result } from "../../host/facts.ts";
import type { InterruptSignal } from "../../host/interrupt.ts";
import type { KernelLogFacts } from "../../host/kernel_log.ts";
import type { CheckResult, CheckStatus, Group } from "../kit/check.ts";
import { type Pace, slownessOf } from "../kit/pace.ts";

/** Checks of a group that were to be made. */
export interface PlannedGroup {
  /** The group. */
  readonly group: Group;
  /** How many. */
  readonly checks: number;
}

/** Checks by what they came to. */
export type CheckSummary = Readonly<Record<CheckStatus, number>>;

/** `dirtyring check`: what each check came to. */
export interface CheckReport extends Result {
  /** What it is. */
  readonly schema: "dirtyring.check/1";
  /** How far the kernel's log was looked at; `null` for a model, which has none. */
  readonly kernelLog: KernelLogFacts | null;
  /** Whether every check that was to be made was made. */
  readonly complete: boolean;
  /** The signal that ended it early, or `null`. */
  readonly interrupted: InterruptSignal | null;
  /** Whether a known defect counts as failed. */
  readonly strict: boolean;
  /** The seed of the order; `null` is the order of docs/abi.md. */
  readonly seed: number | null;
  /** How often each check was made. */
  readonly repeat: number;
  /** The longest that a run of a check might take; `null` where it ended before that was known. */
  readonly limit: TimeLimit | null;
  /** What was to be made, in the order of docs/abi.md. */
  readonly planned: readonly PlannedGroup[];
  /** What was made, in its order. */
  readonly checks: readonly CheckResult[];
  /** What they came to. */
  readonly summary: CheckSummary;
}

/**
 * Counts checks by group.
 *
 * @param checks Checks, those of a group anywhere.
 * @returns The groups in the order in which they appear first.
 */
export function countGroups(checks: readonly { readonly group: Group }[]): PlannedGroup[] {
  const counts = new Map<Group, number>();
  for (const { group } of checks) counts.set(group, (counts.get(group) ?? 0) + 1);
  return [...counts].map(([group, checks]) => ({ group, checks }));
}

/** Counts checks by what they came to. */
export function summarise(results: readonly CheckResult[]): CheckSummary {
  const count = (status: CheckStatus) => results.filter((one) => one.status === status).length;
  return {
    pass: count("pass"),
    fail: count("fail"),
    timeout: count("timeout"),
    skip: count("skip"),
    known: count("known"),
  };
}

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
const USUAL_LIMIT_MS = 10_000;

/**
 * A limit that was asked for.
 *
 * @param ms Milliseconds.
 */
export function givenLimit(ms: number): TimeLimit {
  return { ms, given: true, slowness: null };
}

/**
 * The default, which grows with how slow the host is.
 *
 * @param pace What it was measured to take; `null` where it could not be measured.
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
 * import { limitText } from "./check_report.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(limitText({ ms: 500, given: true, slowness: null }), "500 ms");
 * const measured = limitText({ ms: 12_000, given: false, slowness: 1.2 });
 * assertEquals(measured, "12 s (10 s × 1.2 for this host's speed)");
 * ```
 *
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
