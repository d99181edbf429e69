import type { KernelReport } from "../lab/kernel_reports.ts";
import type { CheckRun } from "./check_result.ts";

/** Reports that are kept of a run. */
const MOST_REPORTS = 4;

/**
 * Adds to a run what the kernel reported meanwhile: a problem that it found in itself is a failure, whatever the
 * check saw, but for the warning of a statement that makes it warn.
 *
 * @param run The run.
 * @param reports The reports.
 * @param warns Whether the check makes the kernel warn.
 * @returns The run, failed where a report is not the check's own.
 */
export function judgeReports(
  run: CheckRun,
  reports: readonly KernelReport[],
  warns: boolean,
): CheckRun {
  if (reports.length === 0) return run;
  const told = { ...run, reports: reports.slice(0, MOST_REPORTS).map(({ lines }) => lines) };
  const foreign = reports.find(({ isWarning }) => !(warns && isWarning));
  if (foreign === undefined || run.status === "fail" || run.status === "timeout") return told;
  const otherwise = `otherwise ${run.status}${run.detail === null ? "" : `, ${run.detail}`}`;
  const detail = `the kernel reported: ${foreign.lines[0]}; ${otherwise}`;
  return { ...told, status: "fail", detail, defect: false };
}
