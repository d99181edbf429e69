import type { CheckReport } from "../checks/check_report.ts";
import type { KernelsReport } from "../checks/kernels_report.ts";
import type { KernelRun } from "../lab/kernel_run.ts";
import { ktapGroups } from "./check_ktap.ts";
import { hasFailed } from "./has_failed.ts";
import { labelText, problemText } from "./kernels_text.ts";
import { oneLine } from "./one_line.ts";

/**
 * `dirtyring check` on several kernels as KTAP, version 1: a test for each kernel, with its groups as subtests. One
 * that told not all is "not ok", with the end of its console as diagnostic lines.
 *
 * @param report What they came to.
 * @returns Lines with their ends.
 */
export function* checkKernelsKtap({ kernels, interrupted }: KernelsReport): Generator<string> {
  yield "KTAP version 1\n";
  yield `1..${kernels.length}\n`;
  for (const [n, kernel] of kernels.entries()) {
    const { report, problem } = kernel;
    if (report === null && problem === null && interrupted !== null) continue; // not begun
    const name = nameText(kernel);
    if (report !== null) yield* groups(name, report);
    for (const line of diagnostics(kernel, interrupted)) yield `# ${line}\n`;
    yield `${isWell(kernel) ? "ok" : "not ok"} ${n + 1} ${name}${skip(kernel)}\n`;
  }
}

function* groups(name: string, report: CheckReport): Generator<string> {
  const indent = " ".repeat(2);
  yield `${indent}KTAP version 1\n`;
  yield `${indent}# Subtest: ${name}\n`;
  for (const line of ktapGroups(report)) yield `${indent}${line}`;
}

function isWell({ report, problem }: KernelRun<CheckReport>): boolean {
  return problem === null && report !== null &&
    !report.checks.some((check) => hasFailed(check, report.strict));
}

function skip(kernel: KernelRun<CheckReport>): string {
  const checks = kernel.report?.checks ?? [];
  const isSkipped = isWell(kernel) && checks.length > 0 &&
    checks.every(({ status }) => status === "skip");
  return isSkipped ? " # SKIP all of it" : "";
}

// Behind its subtests, before its line: words first, so that no line of a console is taken for KTAP.
function* diagnostics(
  kernel: KernelRun<CheckReport>,
  interrupted: KernelsReport["interrupted"],
): Generator<string> {
  const problem = problemText(kernel, interrupted);
  if (problem !== null) yield unended(`problem: ${problem}`);
  for (const line of kernel.console) yield unended(`console: ${oneLine(line)}`.trimEnd());
}

// kunit.py knows no way to write a # in a name, and takes "- " before one for none of it.
function nameText(kernel: KernelRun<CheckReport>): string {
  return labelText(kernel).replaceAll("#", "?").trim().replace(/^- /, "-");
}

// What kunit.py takes for the end of a kernel's output, wherever it stands.
const ENDS = /(List of all partitions|Kernel panic - not syncing: VFS|reboot): */g;

function unended(line: string): string {
  return line.replaceAll(ENDS, "$1 : ");
}
