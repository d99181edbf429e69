import type { InterruptSignal } from "../lab/interrupt.ts";
import type { KernelLogFacts } from "../lab/kernel_log.ts";
import type { Result } from "../lab/host.ts";
import type { Group } from "./check.ts";
import type { CheckResult, CheckStatus } from "./check_result.ts";
import type { TimeLimit } from "./time_limit.ts";

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

/**
 * Counts checks by what they came to.
 *
 * @param results The results.
 * @returns The counts.
 */
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
