import type { Group } from "./check.ts";
import type { Permission } from "./check_answer.ts";

/**
 * What a check came to. `timeout` did not end in its time, and counts as failed; `known` is a defect of the
 * kernel that docs/abi.md names, observed.
 */
export type CheckStatus = "pass" | "fail" | "timeout" | "skip" | "known";

/** What a run of a check came to. */
export interface CheckRun {
  /** In a word. */
  readonly status: CheckStatus;
  /** What was asked of a kernel that failed, what was waited for, why it was skipped, or what else is worth saying. */
  readonly detail: string | null;
  /** What is documented, where the check failed and can tell. */
  readonly expected: string | null;
  /** What was seen instead. */
  readonly seen: string | null;
  /** The option without which it was not made, though this host could show it; `null` otherwise. */
  readonly withheld: Permission | null;
  /** Whether it failed by an error of this program's own: that says nothing about the kernel. */
  readonly defect: boolean;
  /** What the kernel reported in its log meanwhile: the first lines of each report of a problem. */
  readonly reports: readonly (readonly string[])[];
  /** Milliseconds that it took. */
  readonly ms: number;
}

/** A check and what it came to. */
export interface CheckResult extends CheckRun {
  /** The statement's id. */
  readonly id: string;
  /** Its group. */
  readonly group: Group;
  /** The statement in a line. */
  readonly statement: string;
  /** Where the kernel promises it. */
  readonly source: string;
}

/**
 * Puts a check and its run together.
 *
 * @param check The check, without what asks the kernel.
 * @param run What it came to.
 * @returns Both, in the order of the documentation.
 */
export function checkResult(
  check: Pick<CheckResult, "id" | "group" | "statement" | "source">,
  run: CheckRun,
): CheckResult {
  const { id, group, statement, source } = check;
  const { status, detail, expected, seen, withheld, defect, reports, ms } = run;
  const told = { status, detail, expected, seen, withheld, defect, reports };
  return { id, group, statement, ...told, source, ms };
}
