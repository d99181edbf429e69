import type { CheckReport } from "../checks/check_report.ts";

/**
 * Says that checks are missing.
 *
 * @param report What the checks came to.
 * @returns A line without its end, or `null` where none is missing.
 */
export function incompleteText(report: CheckReport): string | null {
  const { complete, interrupted, planned, checks } = report;
  if (complete) return null;
  const all = planned.reduce((sum, one) => sum + one.checks, 0);
  const why = interrupted === null ? "ended early" : `interrupted by ${interrupted}`;
  return `incomplete: ${why} after ${checks.length} of ${all} checks`;
}
