import type { CheckReport } from "../checks/check_report.ts";
import type { CheckResult } from "../checks/check_result.ts";
import { hasFailed } from "./has_failed.ts";
import { incompleteText } from "./incomplete_text.ts";
import { lostLogText, reportLines, unreadLogText } from "./kernel_log_text.ts";
import { oneLine } from "./one_line.ts";

/**
 * `dirtyring check` as KTAP, version 1 (Documentation/dev-tools/ktap.rst): a test for each group, its checks as
 * subtests. A known defect is an "ok" with XFAIL, as kselftest's own ksft_test_result_xfail() writes it: kunit.py
 * knows no directive but SKIP, and goes by the "ok" or "not ok" of a line that has another.
 *
 * @param report What the checks came to.
 * @returns Lines with their ends.
 */
export function* checkKtap(report: CheckReport): Generator<string> {
  yield "KTAP version 1\n";
  yield* ktapGroups(report);
}

/**
 * All that stands below the version: the plan, what is to be said of the kernel, and the groups.
 *
 * @param report What the checks came to.
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
    if (results.length === 0) continue; // missed by an interrupt
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

// Diagnostics stand before the line of their test.
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

// A # begins a directive.
function escaped(text: string): string {
  return oneLine(text).replaceAll("\\", "\\\\").replaceAll("#", "\\#");
}
