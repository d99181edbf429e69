import type { CheckResult, CheckStatus } from "../../conformance/kit/check.ts";
import type { CheckReport } from "../../conformance/runner/check_report.ts";
import type { CheckList } from "../../conformance/runner/select_checks.ts";
import type { KernelFacts } from "../../host/facts.ts";
import type { KernelLogFacts } from "../../host/kernel_log.ts";
import {
  incompleteText,
  kernelLine,
  lostLogText,
  reportLines,
  unreadLogText,
} from "../../report/notes.ts";
import { countText, oneLine, table } from "../../report/table.ts";

const WORDS: Readonly<Record<CheckStatus, string>> = {
  pass: "pass ",
  fail: "FAIL ",
  timeout: "TIMEOUT",
  skip: "skip ",
  known: "known",
};

/**
 * Formats the first lines of `dirtyring check` for people.
 *
 * @param log How far the kernel's log can be read.
 * @returns Lines with their ends.
 */
export function* checkHeadText(
  kernel: KernelFacts,
  log: KernelLogFacts | null,
): Generator<string> {
  yield `${kernelLine(kernel)}\n`;
  const unread = unreadLogText(log);
  if (unread !== null) yield `        ${unread}\n`;
}

/**
 * Formats a check that has ended for people.
 *
 * @param width Characters of the longest id, so that statements align.
 * @param heading Whether its group begins here.
 * @returns Lines with their ends.
 */
export function* checkResultText(
  result: CheckResult,
  width: number,
  heading: boolean,
): Generator<string> {
  const { status, id, detail, expected, seen, reports, source } = result;
  if (heading) yield `\n${oneLine(result.group)}\n`;
  yield `  ${WORDS[status]}  ${oneLine(id).padEnd(width)}  ${saying(result)}\n`;
  if (status !== "fail" && status !== "timeout") return;
  const indent = " ".repeat(9);
  if (detail !== null) yield `${indent}${oneLine(detail)}\n`;
  if (expected !== null) yield `${indent}expected  ${oneLine(expected)}\n`;
  if (seen !== null) yield `${indent}seen      ${oneLine(seen)}\n`;
  for (const line of reportLines(reports)) yield `${indent}kernel    ${line}\n`;
  yield `${indent}source    ${oneLine(source)}\n`;
}

/**
 * Formats the last lines of `dirtyring check` for people.
 *
 * @returns Lines with their ends.
 */
export function* checkEndText(report: CheckReport): Generator<string> {
  const { checks, summary, strict, repeat } = report;
  const known = strict ? "known, which --strict takes for failed" : "known";
  const parts = [
    `${summary.pass} passed`,
    `${summary.fail} failed`,
    ...(summary.timeout === 0 ? [] : [`${summary.timeout} out of time`]),
    `${summary.skip} skipped`,
    `${summary.known} ${known}`,
  ];
  const often = repeat === 1 ? "" : `, each made ${repeat} times`;
  yield `\n${countText(checks.length, "check")}${often}: ${parts.join(", ")}\n`;
  for (const [status, word] of [["fail", "failed"], ["timeout", "out of time"]] as const) {
    const ids = checks.filter((one) => one.status === status).map(({ id }) => id);
    if (ids.length > 0) yield `${word}: ${ids.map(oneLine).join(", ")}\n`;
  }
  for (const missing of [incompleteText(report), lostLogText(report.kernelLog)]) {
    if (missing !== null) yield `${missing}\n`;
  }
}

/**
 * Formats the whole result of `dirtyring check` for people.
 *
 * @returns Lines with their ends.
 */
export function* checkText(report: CheckReport): Generator<string> {
  yield* checkHeadText(report.kernel, report.kernelLog);
  yield* checkResultsText(report);
  yield* checkEndText(report);
}

function* checkResultsText({ checks, seed }: CheckReport): Generator<string> {
  const width = Math.max(0, ...checks.map(({ id }) => id.length));
  let group: string | null = null;
  for (const result of checks) {
    yield* checkResultText(result, width, seed === null && result.group !== group);
    group = result.group;
  }
}

/**
 * Formats the list of `dirtyring check --list` for people.
 *
 * @returns Lines with their ends.
 */
export function checkListText({ checks }: CheckList): Generator<string> {
  const rows = checks.map(({ id, where, statement, source }) => [id, where, statement, source]);
  return table([["id", "where", "statement", "source"], ...rows], ["left", "left", "left", "left"]);
}

function saying({ status, statement, detail }: CheckResult): string {
  if (detail === null || status === "fail" || status === "timeout") return oneLine(statement);
  return oneLine(status === "pass" ? `${statement} (${detail})` : detail);
}
