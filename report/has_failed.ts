import type { CheckResult } from "../checks/check_result.ts";

/**
 * Whether a check counts as failed: one that did not end in its time does.
 *
 * @param result The check.
 * @param strict Whether a known defect does.
 * @returns Whether it does.
 */
export function hasFailed({ status }: CheckResult, strict: boolean): boolean {
  return status === "fail" || status === "timeout" || (strict && status === "known");
}
