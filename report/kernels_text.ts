// Several kernels side by side, as text: legend, columns, and why a kernel has no whole report.

import type { Result } from "../host/facts.ts";
import type { KernelRun, KernelRuns } from "../host/kernel_run.ts";
import { kernelLine } from "./notes.ts";
import { widthOf as widthOfText } from "./layout.ts";
import { type Page, PLAIN_PAGE } from "./page.ts";
import { oneLine, table } from "./table.ts";

/** The number of characters in a line that does not go to a terminal. */
const LINE_WIDTH = 80;

/** The columns for kernels in a table. */
export interface KernelColumns {
  /** The heads of the columns. */
  readonly heads: readonly string[];
  /** Lines that explain the heads. */
  readonly legend: readonly string[];
}

/**
 * Chooses the heads of the columns: the kernels' labels or, if lines would be too long, numbers
 * that the legend explains.
 *
 * @param rows The rows below the heads: a first cell, then one for each kernel.
 * @param page Where they are written; its width decides.
 */
export function kernelColumns(
  kernels: readonly KernelRun[],
  rows: readonly (readonly string[])[],
  page: Page,
): KernelColumns {
  const labels = kernels.map(labelText);
  const heads = widthOf([["", ...labels], ...rows]) <= (page.columns ?? LINE_WIDTH)
    ? labels
    : kernels.map((_, n) => `[${n + 1}]`);
  return { heads, legend: [...kernelLegend(kernels, heads === labels ? [] : heads, page)] };
}

/** The least columns for the facts of a kernel beside its label. */
const LEAST_FACTS = 30;

/**
 * Explains which kernel is which.
 *
 * @param numbers The heads that stand for the kernels, if those are not their labels.
 * @param page Where it is written.
 * @returns Lines with their ends.
 */
export function* kernelLegend(
  kernels: readonly KernelRun[],
  numbers: readonly string[] = [],
  page: Page = PLAIN_PAGE,
): Generator<string> {
  const rows = kernels.map((kernel, n) => [
    n === 0 ? "kernels" : "",
    ...numbers.slice(n, n + 1),
    labelText(kernel),
    factsText(kernel),
  ]);
  const last = (rows[0]?.length ?? 0) - 1;
  const aligns = rows[0]?.map((_, n) => n < last ? "left" : "prose") ?? [];
  const beside = widthOf(rows.map((row) => row.slice(0, last)));
  if (page.columns === null || page.columns - beside >= LEAST_FACTS) {
    yield* table(rows, aligns, "", { page, keys: last });
    return;
  }
  // On a narrow terminal the facts of a kernel stand below its label.
  const indent = " ".repeat(numbers.length > 0 ? 16 : 11);
  const lines = [...table(rows.map((row) => row.slice(0, last)), aligns.slice(0, last))];
  for (const [n, line] of lines.entries()) yield `${line}${indent}${rows[n]![last]}\n`;
}

// Columns are two spaces apart.
function widthOf(rows: readonly (readonly string[])[]): number {
  const columns = rows[0]?.length ?? 0;
  return Array.from(
    { length: columns },
    (_, n) => 2 + Math.max(...rows.map((row) => widthOfText(row[n] ?? ""))),
  ).reduce((sum, one) => sum + one, -2);
}

/** The beginning of the verdict of a result that holds. No label may look like it. */
const OK = /^ok(?=:|$)/i;

/** A kernel's label, safe for a terminal. */
export function labelText({ label }: Pick<KernelRun, "label">): string {
  return oneLine(label).replace(OK, "kernel $&");
}

/**
 * Puts a kernel's label before each of some lines.
 *
 * @param lines Lines, with or without their ends; blank ones are left out.
 * @returns Lines with their ends.
 */
export function* saidOf(
  kernel: Pick<KernelRun, "label">,
  lines: Iterable<string>,
): Generator<string> {
  for (const line of lines) {
    if (line.trim() !== "") yield `${labelText(kernel)}: ${oneLine(line.trimEnd())}\n`;
  }
}

// Facts that the label does not have.
function factsText({ label, kernel, kernelArgs, cpu, report }: KernelRun): string {
  return oneLine([
    kernel,
    ...(kernelArgs === "" ? [] : [kernelArgs]),
    ...(cpu === null ? [] : [`cpu ${cpu}`]),
    report === null ? "no report" : answeredText(label, report),
  ].join(", "));
}

function answeredText(label: string, { kernel }: Result): string {
  const text = kernelLine(kernel).replace(/^kernel +/, "");
  const release = `Linux ${kernel.release}, `;
  return label.startsWith(kernel.release) && text.startsWith(release)
    ? text.slice(release.length)
    : text;
}

/**
 * Formats a table with a column for each kernel.
 *
 * @param rows Rows with a first cell, then one for each kernel.
 * @param align The alignment of the kernels' columns.
 * @param page Where it is written.
 * @returns Lines with their ends.
 */
export function kernelsTable(
  { heads }: KernelColumns,
  rows: readonly (readonly string[])[],
  align: "left" | "right",
  page: Page = PLAIN_PAGE,
): Generator<string> {
  const aligns = ["left" as const, ...heads.map(() => align)];
  return table([["", ...heads], ...rows], aligns, "", { page, heads: 1 });
}

/**
 * For each kernel without a whole report, says why and shows the last lines of its console.
 *
 * @returns Lines with their ends, one at a time, so the caller may put something before each.
 */
export function* kernelProblems({ kernels, interrupted }: KernelRuns<Result>): Generator<string> {
  for (const kernel of kernels) {
    const { console: last } = kernel;
    const problem = problemText(kernel, interrupted);
    if (problem === null && last.length === 0) continue;
    yield "\n";
    yield `${labelText(kernel)}: ${problem ?? "the last lines of its console"}\n`;
    for (const line of last) yield `${`  | ${oneLine(line)}`.trimEnd()}\n`;
  }
}

/**
 * Says why a kernel has no whole report.
 *
 * @param interrupted The signal that ended it early, or `null`.
 * @returns A line without its end; `null` if the report is whole.
 */
export function problemText(
  { report, problem }: KernelRun,
  interrupted: KernelRuns<Result>["interrupted"],
): string | null {
  if (problem !== null) return oneLine(problem);
  if (report !== null) return null;
  return interrupted === null ? "ended without a report" : `interrupted by ${interrupted}`;
}
