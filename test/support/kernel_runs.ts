// Made-up results of checks on several kernels, for tests of the reports that compare them.
import type { CheckResult } from "../../conformance/kit/check.ts";
import type { CheckReport } from "../../conformance/runner/check_report.ts";
import { type KernelsReport, kernelsReport } from "../../conformance/runner/kernels_report.ts";
import type { Result } from "../../host/facts.ts";
import type { InterruptSignal } from "../../host/interrupt.ts";
import type { UnlabelledRun } from "../../host/kernel_run.ts";
import { reportOf, RESULTS } from "./check_results.ts";

/** The ids of the made-up statements, in order. */
export const ORDER = RESULTS.map(({ id }) => id);

/** A run on a kernel; without a report it is one that failed. */
export function runOf<Report extends Result>(
  report: Report | null,
  changes: Partial<UnlabelledRun<Report>> = {},
): UnlabelledRun<Report> {
  return {
    kernel: `/boot/vmlinuz-${report?.kernel.release ?? "dead"}`,
    kernelArgs: "",
    cpu: null,
    status: report === null ? 125 : 0,
    report,
    problem: null,
    console: [],
    ...changes,
  };
}

/** The made-up results with some of them changed. */
export function checksWith(
  changes: Readonly<Record<string, Partial<CheckResult>>> = {},
): CheckResult[] {
  return RESULTS.map((one) => ({ ...one, ...changes[one.id] }));
}

/** A report for a kernel release. */
export function releaseReport(
  release: string,
  checks: readonly CheckResult[],
  changes: Partial<CheckReport> = {},
): CheckReport {
  const report = reportOf(checks, changes);
  return { ...report, kernel: { ...report.kernel, release, module: "kvm_amd" } };
}

/** A report of several kernels. */
export function kernelsOf(
  runs: readonly UnlabelledRun<CheckReport>[],
  interrupted: InterruptSignal | null = null,
): KernelsReport {
  return kernelsReport(runs, ORDER, interrupted);
}

/** A change that makes a check pass. */
export const PASSED = { status: "pass", detail: null, expected: null, seen: null } as const;
/** A VM that failed, with hostile text on its kernel's console. */
export const DEAD: Pick<UnlabelledRun<Result>, "problem" | "console"> = {
  problem: "kernel panic: \u001b[2J<&>\nFatal exception; check reset.signal was running",
  console: [
    "BUG: \u0007\u001b[31m null",
    "Subtest: reset",
    "not ok 1 # SKIP",
    "]]> Kernel panic - not syncing: VFS: Unable to mount root fs",
    "List of all partitions:",
    "",
    "reboot: System halted",
  ],
};
