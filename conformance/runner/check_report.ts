// The report of `dirtyring check`, and the time limit of a run.
import type { Result } from "../../host/facts.ts";
import type { InterruptSignal } from "../../host/interrupt.ts";
import type { KernelLogFacts } from "../../host/kernel_log.ts";
import type { CheckResult, CheckStatus, Group } from "../kit/check.ts";
import { type Pace, slownessOf } from "../kit/pace.ts";

/** How many checks of a group were to run. */
export interface PlannedGroup {
  /** The group. */
  readonly group: Group;
  /** The number of checks. */
  readonly checks: number;
}

/** The number of checks for each status. */
export type CheckSummary = Readonly<Record<CheckStatus, number>>;

/** The result of `dirtyring check`. */
export interface CheckReport extends Result {
  /** The name and version of this format. */
  readonly schema: "dirtyring.check/1";
  /** How far the kernel's log could be read; `null` for the model, which has none. */
  readonly kernelLog: KernelLogFacts | null;
  /** Whether every planned check was run. */
  readonly complete: boolean;
  /** The signal that ended the command early, or `null`. */
  readonly interrupted: InterruptSignal | null;
  /** Whether a known defect counts as failed. */
  readonly strict: boolean;
  /** The seed of the random order; `null` for the order of docs/abi.md. */
  readonly seed: number | null;
  /** How often each check was run. */
  readonly repeat: number;
  /** The time limit of a run; `null` where the command ended before it was known. */
  readonly limit: TimeLimit | null;
  /** The planned checks by group, in the order of docs/abi.md. */
  readonly planned: readonly PlannedGroup[];
  /** The checks that were run, in the order in which they ran. */
  readonly checks: readonly CheckResult[];
  /** The number of checks for each status. */
  readonly summary: CheckSummary;
}

/**
 * Counts checks by group.
 *
 * @param checks Checks in any order.
 * @returns The groups, in the order of their first check.
 */
export function countGroups(checks: readonly { readonly group: Group }[]): PlannedGroup[] {
  const counts = new Map<Group, number>();
  for (const { group } of checks) counts.set(group, (counts.get(group) ?? 0) + 1);
  return [...counts].map(([group, checks]) => ({ group, checks }));
}

/** Counts checks by status. */
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

/** The time limit of a run of a check. */
export interface TimeLimit {
  /** Milliseconds. */
  readonly ms: number;
  /** Whether the user gave the limit; otherwise it follows from the measured speed of this host. */
  readonly given: boolean;
  /** How much slower than usual this host is, at least 1; `null` where that was not measured. */
  readonly slowness: number | null;
}

/** The default limit on a host of usual speed. */
const USUAL_LIMIT_MS = 10_000;

/**
 * A limit that the user gave.
 *
 * @param ms Milliseconds.
 */
export function givenLimit(ms: number): TimeLimit {
  return { ms, given: true, slowness: null };
}

/**
 * The default limit, which is longer on a slow host.
 *
 * @param pace The measured speed; `null` where it could not be measured.
 */
export function measuredLimit(pace: Pace | null): TimeLimit {
  const slowness = pace === null ? null : slownessOf(pace);
  return { ms: Math.round(USUAL_LIMIT_MS * (slowness ?? 1)), given: false, slowness };
}

/**
 * A limit as text.
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
