// `dirtyring check` as KTAP: for one kernel, and for several.

import { type CheckResult, hasFailed } from "../../conformance/kit/check.ts";
import type { CheckReport } from "../../conformance/runner/check_report.ts";
import type { KernelsReport } from "../../conformance/runner/kernels_report.ts";
import type { KernelRun } from "../../host/kernel_run.ts";
import { labelText, problemText } from "../../report/kernels_text.ts";
import { incompleteText, lostLogText, reportLines, unreadLogText } from "../../report/notes.ts";
import { oneLine } from "../../report/table.ts";

/**
 * Formats the result of `dirtyring check` as KTAP, version 1 (Documentation/dev-tools/ktap.rst): a
 * test for each group, with its checks as subtests. A known defect is an "ok" with XFAIL, as
 * kselftest's ksft_test_result_xfail() writes it. kunit.py knows no directive but SKIP; with any
 * other it goes by the "ok" or "not ok" of the line.
 *
 * @returns Lines with their ends.
 */
export function* checkKtap(report: CheckReport): Generator<string> {
  yield "KTAP version 1\n";
  yield* ktapGroups(report);
}

/**
 * Formats all that follows the version line: the plan, facts about the kernel, and the groups.
 *
 * @returns Lines with their ends, not indented.
 */
export function* ktapGroups(report: CheckReport): Generator<string> {
  const { planned, checks, kernel, strict } = report;
  yield `1..${planned.length}\n`;
  yield `# kernel: ${kernel.model === null ? "" : `model ${kernel.model}, `}Linux ${
    oneLine(kernel.release)
  }\n`;
  const { kernelLog: log } = report;
  for (const missing of [unreadLogText(log), lostLogText(log), incompleteText(report)]) {
    if (missing !== null) yield `# ${missing}\n`;
  }
  for (const [n, { group, checks: count }] of planned.entries()) {
    const results = checks.filter((one) => one.group === group);
    if (results.length === 0) continue; // not made because of an interrupt
    yield* subtests(group, count, results, strict);
    const failed = results.some((one) => hasFailed(one, strict));
    const isSkipped = results.every(({ status }) => status === "skip");
    const skip = isSkipped ? " # SKIP all of it" : "";
    yield `${failed ? "not ok" : "ok"} ${n + 1} ${escaped(group)}${skip}\n`;
  }
}

function* subtests(
  group: string,
  count: number,
  results: readonly CheckResult[],
  strict: boolean,
): Generator<string> {
  const indent = " ".repeat(2);
  yield `${indent}KTAP version 1\n`;
  yield `${indent}# Subtest: ${escaped(group)}\n`;
  yield `${indent}1..${count}\n`;
  for (const [n, result] of results.entries()) {
    for (const line of diagnostics(result, strict)) yield `${indent}# ${oneLine(line)}\n`;
    const word = hasFailed(result, strict) ? "not ok" : "ok";
    yield `${indent}${word} ${n + 1} ${escaped(result.id)}${directive(result, strict)}\n`;
  }
}

// Diagnostic lines must stand before the line of their test.
function* diagnostics(result: CheckResult, strict: boolean): Generator<string> {
  const { id, status, statement, detail, expected, seen, reports, source } = result;
  const isKnown = status === "known";
  const what = `${id}: ${isKnown ? "known defect: " : ""}${detail}`;
  if ((status === "pass" || isKnown && !strict) && detail !== null) yield what;
  if (!hasFailed(result, strict)) return;
  yield `${id}: ${statement}`;
  if (detail !== null) yield what;
  if (expected !== null) yield `${id}: expected ${expected}`;
  if (seen !== null) yield `${id}: seen ${seen}`;
  for (const line of reportLines(reports)) yield `${id}: kernel ${line}`;
  yield `${id}: source ${source}`;
}

function directive({ status, detail }: CheckResult, strict: boolean): string {
  const word = status === "skip"
    ? "SKIP"
    : status === "timeout"
    ? "TIMEOUT"
    : status === "known" && !strict
    ? "XFAIL"
    : null;
  return word === null ? "" : ` # ${word} ${escaped(detail ?? "")}`.trimEnd();
}

// A # would begin a directive.
function escaped(text: string): string {
  return oneLine(text).replaceAll("\\", "\\\\").replaceAll("#", "\\#");
}

/**
 * Formats the result of `dirtyring check` on several kernels as KTAP, version 1: a test for each
 * kernel, with its groups as subtests. A kernel without a whole report is "not ok", with the end of
 * its console as diagnostic lines.
 *
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
    for (const line of kernelDiagnostics(kernel, interrupted)) yield `# ${line}\n`;
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

// The lines between a kernel's subtests and its own line. Each begins with a word, so that no line
// of a console can be taken for KTAP.
function* kernelDiagnostics(
  kernel: KernelRun<CheckReport>,
  interrupted: KernelsReport["interrupted"],
): Generator<string> {
  const problem = problemText(kernel, interrupted);
  if (problem !== null) yield unended(`problem: ${problem}`);
  for (const line of kernel.console) yield unended(`console: ${oneLine(line)}`.trimEnd());
}

// kunit.py has no escape for a # in a name, and does not take a leading "- " for part of the name.
function nameText(kernel: KernelRun<CheckReport>): string {
  return labelText(kernel).replaceAll("#", "?").trim().replace(/^- /, "-");
}

// What kunit.py takes for the end of a kernel's output, anywhere in a line.
const ENDS = /(List of all partitions|Kernel panic - not syncing: VFS|reboot): */g;

function unended(line: string): string {
  return line.replaceAll(ENDS, "$1 : ");
}
