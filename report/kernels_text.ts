import type { Result } from "../host/facts.ts";
import type { KernelRun, KernelRuns } from "../host/kernel_run.ts";
import { kernelLine } from "./notes.ts";
import { oneLine, table } from "./table.ts";

/** Characters of a line, where nobody says. */
export const LINE_WIDTH = 80;

/** Kernels beside each other, as text has them. */
export interface KernelColumns {
  /** The heads of their columns. */
  readonly heads: readonly string[];
  /** The lines that say which kernel is which. */
  readonly legend: readonly string[];
}

/**
 * How kernels stand beside each other in a table: by their labels, or where lines would be longer than they may, by
 * numbers, which the legend then has.
 *
 * @param rows What is to stand below the heads: each row with a first cell, and one for each kernel.
 * @param width The characters that a line may have.
 * @returns The heads and the legend.
 */
export function kernelColumns(
  kernels: readonly KernelRun[],
  rows: readonly (readonly string[])[],
  width: number,
): KernelColumns {
  const labels = kernels.map(labelText);
  const heads = widthOf([["", ...labels], ...rows]) <= width
    ? labels
    : kernels.map((_, n) => `[${n + 1}]`);
  return { heads, legend: [...kernelLegend(kernels, heads === labels ? [] : heads)] };
}

/**
 * Which kernel is which.
 *
 * @param numbers What they are called where that is not their label.
 * @returns Lines with their ends.
 */
export function kernelLegend(
  kernels: readonly KernelRun[],
  numbers: readonly string[] = [],
): Generator<string> {
  const rows = kernels.map((kernel, n) => [
    n === 0 ? "kernels" : "",
    ...numbers.slice(n, n + 1),
    labelText(kernel),
    factsText(kernel),
  ]);
  return table(rows, rows[0]?.map(() => "left") ?? []);
}

// Columns stand two spaces apart.
function widthOf(rows: readonly (readonly string[])[]): number {
  const columns = rows[0]?.length ?? 0;
  return Array.from(
    { length: columns },
    (_, n) => 2 + Math.max(...rows.map((row) => (row[n] ?? "").length)),
  ).reduce((sum, one) => sum + one, -2);
}

/** What the line of a result that holds begins with: no kernel may be called that. */
const OK = /^ok(?=:|$)/i;

/** A kernel's label, safe for a terminal. */
export function labelText({ label }: Pick<KernelRun, "label">): string {
  return oneLine(label).replace(OK, "kernel $&");
}

/**
 * What is said of a kernel, each line with its label.
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

// What the label does not say.
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
 * The table itself.
 *
 * @param rows Each with a first cell, and one for each kernel.
 * @param align How the kernels' columns are set.
 * @returns Lines with their ends.
 */
export function kernelsTable(
  { heads }: KernelColumns,
  rows: readonly (readonly string[])[],
  align: "left" | "right",
): Generator<string> {
  return table([["", ...heads], ...rows], ["left", ...heads.map(() => align)]);
}

/**
 * Says of each kernel that told not all why, with the last lines of its console.
 *
 * @returns Lines with their ends, one at a time: who prints them may put something before each.
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
 * Why a kernel told not all.
 *
 * @param interrupted The signal that ended it early, or `null`.
 * @returns A line without its end, or `null` where it did.
 */
export function problemText(
  { report, problem }: KernelRun,
  interrupted: KernelRuns<Result>["interrupted"],
): string | null {
  if (problem !== null) return oneLine(problem);
  if (report !== null) return null;
  return interrupted === null ? "ended without a report" : `interrupted by ${interrupted}`;
}
