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
import { padTo } from "../../report/layout.ts";
import { type Ink, type Page, PLAIN_PAGE } from "../../report/page.ts";
import { countText, oneLine, table } from "../../report/table.ts";

const WORDS: Readonly<Record<CheckStatus, string>> = {
  pass: "pass ",
  fail: "FAIL ",
  timeout: "TIMEOUT",
  skip: "skip ",
  known: "known",
};

const INKS: Readonly<Record<CheckStatus, keyof Ink>> = {
  pass: "good",
  fail: "bad",
  timeout: "bad",
  skip: "dim",
  known: "warn",
};

/** A status as text for people, in its colour. */
export function statusText(status: CheckStatus, { ink }: Page): string {
  const word = WORDS[status].trimEnd();
  return ink[INKS[status]](word);
}

/**
 * Formats the first lines of `dirtyring check` for people.
 *
 * @param log How far the kernel's log can be read.
 * @returns Lines with their ends.
 */
export function* checkHeadText(
  kernel: KernelFacts,
  log: KernelLogFacts | null,
  page: Page = PLAIN_PAGE,
): Generator<string> {
  if (page.header) yield `${kernelLine(kernel)}\n`;
  const unread = unreadLogText(log);
  if (unread !== null) yield `        ${unread}\n`;
}

const WORD_WIDTH = 5;
/** The columns beside an id and its statement. */
const BESIDE = 11;
/** The least columns that a statement beside its id has. */
const LEAST_STATEMENT = 30;

/**
 * Formats a check that has ended for people.
 *
 * @param width Characters of the longest id, so that statements align.
 * @param heading Whether its group begins here.
 * @param page Where only failures are wanted, nothing is written for what holds.
 * @returns Lines with their ends.
 */
export function* checkResultText(
  result: CheckResult,
  width: number,
  heading: boolean,
  page: Page = PLAIN_PAGE,
): Generator<string> {
  const { status, id, detail, expected, seen, reports, source } = result;
  const hasFailed = status === "fail" || status === "timeout";
  if (page.onlyFailures && !hasFailed) return;
  if (heading) yield `\n${page.ink.bold(oneLine(result.group))}\n`;
  const begin = `  ${padTo(statusText(status, page), WORD_WIDTH, "left")}  `;
  // On a narrow terminal the statement stands below its id.
  const isNarrow = page.columns !== null && page.columns - BESIDE - width < LEAST_STATEMENT;
  yield isNarrow
    ? `${begin}${oneLine(id)}\n${" ".repeat(BESIDE - 2)}${saying(result)}\n`
    : `${begin}${oneLine(id).padEnd(width)}  ${saying(result)}\n`;
  if (!hasFailed) return;
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
export function* checkEndText(
  report: CheckReport,
  { ink, quiet }: Page = PLAIN_PAGE,
): Generator<string> {
  const { checks, summary, strict, repeat } = report;
  const known = strict ? "known, which --strict takes for failed" : "known";
  const parts = [
    `${summary.pass} passed`,
    summary.fail === 0 ? "0 failed" : ink.bad(`${summary.fail} failed`),
    ...(summary.timeout === 0 ? [] : [ink.bad(`${summary.timeout} out of time`)]),
    `${summary.skip} skipped`,
    `${summary.known} ${known}`,
  ];
  const often = repeat === 1 ? "" : `, each made ${repeat} times`;
  if (!quiet) yield "\n";
  yield `${countText(checks.length, "check")}${often}: ${parts.join(", ")}\n`;
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
export function* checkText(report: CheckReport, page: Page = PLAIN_PAGE): Generator<string> {
  yield* checkHeadText(report.kernel, report.kernelLog, page);
  yield* checkResultsText(report, page);
  yield* checkEndText(report, page);
}

function* checkResultsText({ checks, seed }: CheckReport, page: Page): Generator<string> {
  const width = Math.max(0, ...checks.map(({ id }) => id.length));
  const isHead = groupHeads(seed === null, page);
  for (const result of checks) yield* checkResultText(result, width, isHead(result), page);
}

/**
 * Tells which checks begin a group that is shown.
 *
 * @param isGrouped Whether the checks come group by group.
 * @returns A function to be asked of each check, in order.
 */
export function groupHeads(
  isGrouped: boolean,
  { onlyFailures }: Pick<Page, "onlyFailures">,
): (result: CheckResult) => boolean {
  let group: string | null = null;
  return ({ group: own, status }) => {
    if (!isGrouped || own === group) return false;
    if (onlyFailures && status !== "fail" && status !== "timeout") return false;
    group = own;
    return true;
  };
}

/**
 * Formats the list of `dirtyring check --list` for people.
 *
 * @returns Lines with their ends.
 */
export function* checkListText(
  { checks }: CheckList,
  page: Page = PLAIN_PAGE,
): Generator<string> {
  const head = ["id", "where", "statement", "source"];
  const rows = checks.map(({ id, where, statement, source }) => [id, where, statement, source]);
  const heads = page.header ? [head] : [];
  // Where four columns leave the statement no room, each check takes some lines.
  const idWidth = Math.max(0, ...checks.map(({ id }) => id.length));
  if (page.columns === null || page.columns - idWidth > LEAST_LIST) {
    const aligns = ["left", "left", "prose", "prose"] as const;
    yield* table([...heads, ...rows], aligns, "", { page, heads: heads.length });
    return;
  }
  for (const { id, where, statement, source } of checks) {
    yield `${page.ink.bold(id)}  ${where}\n    ${statement}\n    ${source}\n`;
  }
}

/** The columns beside the ids that a list of four columns needs. */
const LEAST_LIST = 80;

function saying({ status, statement, detail }: CheckResult): string {
  if (detail === null || status === "fail" || status === "timeout") return oneLine(statement);
  return oneLine(status === "pass" ? `${statement} (${detail})` : detail);
}
