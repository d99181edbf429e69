import { type CheckResult, hasFailed } from "../../conformance/kit/check.ts";
import type { CheckReport } from "../../conformance/runner/check_report.ts";
import type { KernelsReport } from "../../conformance/runner/kernels_report.ts";
import type { KernelRun } from "../../host/kernel_run.ts";
import {
  kernelColumns,
  kernelProblems,
  kernelsTable,
  labelText,
  saidOf,
} from "../../report/kernels_text.ts";
import { incompleteText, lostLogText, unreadLogText } from "../../report/notes.ts";
import { type Page, PLAIN_PAGE } from "../../report/page.ts";
import { countText, oneLine } from "../../report/table.ts";
import { checkResultText, statusText } from "./check_text.ts";

type Run = KernelRun<CheckReport>;

/** Stands for a check that was not made. */
const NONE = "-";

/**
 * Formats the result of `dirtyring check` on several kernels for people: one line for each
 * statement with differing answers, then counts, then the details of all failures, including those
 * that every kernel has.
 *
 * @param page Where it is written: if labels are too long for its width, the table has numbers
 * instead.
 */
export function* checkKernelsText(
  report: KernelsReport,
  page: Page = PLAIN_PAGE,
): Generator<string> {
  const { kernels, differing } = report;
  const shown = page.onlyFailures
    ? differing.filter(({ answers }) => answers.some((one) => one === "fail" || one === "timeout"))
    : differing;
  const rows = [
    ...shown.map(({ id, answers }) => [
      oneLine(id),
      ...answers.map((answer) => answer === null ? NONE : statusText(answer, page)),
    ]),
    ...(shown.length === 0 ? [] : [[]]),
    ...countRows(kernels),
  ];
  const columns = kernelColumns(kernels, rows, page);
  if (page.header) yield* columns.legend;
  yield `\n${differenceText(kernels, differing.length)}\n\n`;
  yield* kernelsTable(columns, rows, "left", page);
  yield* failures(kernels, differing.map(({ id }) => id), page);
  yield* kernelProblems(report);
  yield* endText(kernels);
}

function differenceText(kernels: readonly Run[], differing: number): string {
  const ids = new Set(kernels.flatMap(({ report }) => report?.checks.map(({ id }) => id) ?? []));
  if (kernels.filter(({ report }) => report !== null).length < 2) {
    return "nothing to compare: fewer than two kernels were checked";
  }
  const all = countText(ids.size, "statement");
  return differing === 0
    ? `the kernels agree: no answer differs, of ${all}`
    : `${countText(differing, "answer differs", "answers differ")}, of ${all}`;
}

function countRows(kernels: readonly Run[]): string[][] {
  const row = (name: string, count: (report: CheckReport) => number) => [
    name,
    ...kernels.map(({ report }) => report === null ? NONE : `${count(report)}`),
  ];
  // A row that is shown only if some count is not zero.
  const seldom = (name: string, count: (report: CheckReport) => number) =>
    kernels.some(({ report }) => report !== null && count(report) > 0) ? [row(name, count)] : [];
  return [
    row("passed", ({ summary }) => summary.pass),
    row("failed", ({ summary }) => summary.fail),
    ...seldom("out of time", ({ summary }) => summary.timeout),
    row("skipped", ({ summary }) => summary.skip),
    row("known", ({ summary }) => summary.known),
    ...seldom(
      "not made",
      ({ planned, checks }) => planned.reduce((sum, one) => sum + one.checks, 0) - checks.length,
    ),
  ];
}

/** A failure, and the kernels on which it is exactly the same. */
interface Failure {
  readonly result: CheckResult;
  readonly kernels: readonly Run[];
}

function* failures(
  kernels: readonly Run[],
  differing: readonly string[],
  page: Page,
): Generator<string> {
  const failed = kernels.flatMap((kernel) =>
    (kernel.report?.checks ?? [])
      .filter((result) => hasFailed(result, kernel.report!.strict))
      .map((result) => ({ result, kernel }))
  );
  const byId = Map.groupBy(failed, ({ result }) => result.id);
  const everywhere = [...byId.keys()].filter((id) => !differing.includes(id));
  for (
    const [head, ids] of [
      ["failed where the kernels differ", differing.filter((id) => byId.has(id))],
      ["failed on every kernel that was asked", everywhere],
    ] as const
  ) {
    if (ids.length > 0) yield `\n${page.ink.bold(head)}\n`;
    for (const id of ids) {
      for (const failure of together(byId.get(id)!)) yield* failureText(failure, id.length, page);
    }
  }
}

function together(
  failed: readonly { readonly result: CheckResult; readonly kernel: Run }[],
): Failure[] {
  const same = Map.groupBy(failed, ({ result: { ms: _, ...told } }) => JSON.stringify(told));
  return [...same.values()].map((group) => ({
    result: group[0]!.result,
    kernels: group.map(({ kernel }) => kernel),
  }));
}

function* failureText(
  { result, kernels }: Failure,
  width: number,
  page: Page,
): Generator<string> {
  // A known defect that counts as failed is a failure here.
  yield* checkResultText(result, width, false, { ...page, onlyFailures: false });
  yield `${" ".repeat(9)}on        ${kernels.map(labelText).join(", ")}\n`;
}

function* endText(kernels: readonly Run[]): Generator<string> {
  const lines = kernels.flatMap((kernel) => [...saidOf(kernel, notes(kernel.report))]);
  if (lines.length > 0) yield "\n";
  yield* lines;
}

function* notes(report: CheckReport | null): Generator<string> {
  if (report === null) return;
  const { kernelLog: log, checks } = report;
  for (const missing of [unreadLogText(log), lostLogText(log), incompleteText(report)]) {
    if (missing !== null) yield missing;
  }
  for (const [status, word] of [["fail", "failed"], ["timeout", "out of time"]] as const) {
    const ids = checks.filter((one) => one.status === status).map(({ id }) => id);
    if (ids.length > 0) yield `${word}: ${ids.join(", ")}`;
  }
}
