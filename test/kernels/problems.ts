// Decides whether a run on a kernel counts as passed.
import type { FuzzResult } from "../../conformance/fuzz/fuzz.ts";
import type { CheckReport } from "../../conformance/runner/check_report.ts";
import type { Result } from "../../host/facts.ts";
import type { Watched } from "../../host/kernel_log.ts";
import type { KernelRun } from "../../host/kernel_run.ts";
import { oneLine } from "../../report/table.ts";

/**
 * What is wrong with a run of `check` on a kernel.
 *
 * @returns The reason in one line; `null` if all checks were made and none failed.
 */
export function checksProblem(run: KernelRun<CheckReport>): string | null {
  const { report } = run;
  if (report === null) return noReport(run);
  const failed = report.checks.filter(({ status }) => status === "fail" || status === "timeout");
  if (failed.length > 0) return `failed: ${failed.map(({ id }) => id).join(", ")}`;
  if (!report.complete) return `not all checks were made (${noReport(run)})`;
  return unexplained(run);
}

/**
 * What is wrong with a run of `fuzz` on a kernel.
 *
 * @returns The reason in one line; `null` if all programs were run without a mismatch.
 */
export function fuzzProblem(run: KernelRun<Watched<FuzzResult>>): string | null {
  const { report } = run;
  if (report === null) return noReport(run);
  const { mismatch, programs, planned } = report;
  if (mismatch !== null) {
    return `program ${mismatch.number} differs in step ${mismatch.step}: ${mismatch.part}`;
  }
  if (programs !== planned) return `${programs} of ${planned} programs were run`;
  return unexplained(run);
}

// A missing report is a failure even if the command blames the host: there is a kernel and an
// emulator.
function noReport({ problem, status }: KernelRun<Result>): string {
  return `${oneLine(problem ?? "it told nothing")}, status ${status}`;
}

// The exit status covers more than the report, such as problems in the kernel's log.
function unexplained({ status }: KernelRun<Result>): string | null {
  return status === 0 ? null : `status ${status}`;
}
