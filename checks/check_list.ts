import type { GroupedCheck } from "./all_checks.ts";

/** A check as `--list` shows it. */
export type ListedCheck = Omit<GroupedCheck, "run">;

/** `dirtyring check --list`: the checks, without making them. */
export interface CheckList {
  /** What it is. */
  readonly schema: "dirtyring.check-list/1";
  /** The checks. */
  readonly checks: readonly ListedCheck[];
}

/**
 * Lists checks.
 *
 * @param checks The checks.
 * @returns What can be said of them without a kernel.
 */
export function listChecks(checks: readonly GroupedCheck[]): CheckList {
  return {
    schema: "dirtyring.check-list/1",
    checks: checks.map(({ id, group, where, statement, source }) => ({
      id,
      group,
      where,
      statement,
      source,
    })),
  };
}
