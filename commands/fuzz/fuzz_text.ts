// `dirtyring fuzz` as text: for one kernel, and for several.

import type { FuzzKernels, FuzzMismatch, FuzzResult } from "../../conformance/fuzz/fuzz.ts";
import type { Watched } from "../../host/kernel_log.ts";
import { kernelLegend, kernelProblems, labelText, saidOf } from "../../report/kernels_text.ts";
import { kernelLine, kernelLogText } from "../../report/notes.ts";
import { type Page, PLAIN_PAGE } from "../../report/page.ts";
import { countText, oneLine, table } from "../../report/table.ts";

/** How many entries or words of a difference are shown. */
const SHOWN = 12;

/**
 * Formats the result of `dirtyring fuzz` for people. A mismatch is printed as a script that
 * `fuzz --file` can read; the answers are comments in it.
 *
 * @returns Lines with their ends.
 */
export function* fuzzText(
  result: FuzzResult & Partial<Watched<unknown>>,
  page: Page = PLAIN_PAGE,
): Generator<string> {
  const { kernel, model, seed, mismatch, interrupted } = result;
  const [comment, say] = mismatch === null ? ["", saying("")] : ["# ", saying("# ")];
  if (page.header) {
    // Pads both labels to the same width, so that the two lines align.
    yield `${comment}${kernelLine(kernel).replace("kernel", "kernel ")}\n`;
    yield `${comment}${kernelLine(model).replace("kernel", "against")}\n`;
  }
  const name = seed === null ? "" : `, seed ${seed}`;
  yield say(
    `${countText(result.programs, "program")}${name}: ${countText(result.calls, "call")} and ` +
      `${countText(result.entries, "entry", "entries")} compared`,
  );
  for (const [allowance, times] of Object.entries(result.allowances)) {
    if (times > 0) yield say(`allowed: ${oneLine(allowance)}, ${countText(times, "time")}`);
  }
  if (result.endedEarly > 0) {
    yield say(`${countText(result.endedEarly, "program")} compared up to an allowance only`);
  }
  if (interrupted !== null) {
    yield say(
      `incomplete: interrupted by ${interrupted} after ${result.programs} of ` +
        countText(result.planned, "program"),
    );
  }
  if (mismatch === null) yield say(page.ink.good("no mismatch"));
  else yield* mismatchText(mismatch, seed);
  for (const line of kernelLogText(result.kernelLog ?? null)) yield `${comment}${line}`;
}

function saying(before: string): (text: string) => string {
  return (text) => `${before}${text}\n`;
}

/**
 * Writes a program as a script: one JSON object a line, the head first, then the operations.
 *
 * @param answers Comments for the lines, in the same order.
 * @returns Lines with their ends.
 */
export function* programScript(
  { ops, ...head }: FuzzMismatch["shrunk"],
  answers: readonly string[] = [],
): Generator<string> {
  for (const [n, line] of [head, ...ops].entries()) {
    yield `${JSON.stringify(line)}\n`;
    if (answers[n] !== undefined) yield `# ${oneLine(answers[n])}\n`;
  }
}

function* mismatchText(mismatch: FuzzMismatch, seed: number | null): Generator<string> {
  const { number, again, repeated, program, shrunk, step, part, answers } = mismatch;
  const from = seed === null ? "the program" : `program ${number} of seed ${seed}`;
  const often = again === repeated ? "each time" : `in ${again} of ${repeated} more runs`;
  yield "#\n";
  yield `# MISMATCH: ${from} differs, ${often}; shrunk from ` +
    `${countText(program.ops.length, "operation")} to ${shrunk.ops.length}.\n`;
  yield "# Replay: dirtyring fuzz --file FILE, with these lines in FILE.\n";
  yield* programScript({ ...shrunk, ops: shrunk.ops.slice(0, step) }, answers);
  yield `# ${oneLine(part)}: what differs here\n`;
  yield* differenceText(mismatch);
  for (const op of shrunk.ops.slice(step)) yield `${JSON.stringify(op)}\n`;
}

function* differenceText({ part, expected, seen }: FuzzMismatch): Generator<string> {
  const sides = [["expected", expected, seen], ["seen    ", seen, expected]] as const;
  for (const [name, { answer, remaining }] of sides) {
    const left = remaining === null ? "" : `, ${countText(remaining, "store")} left`;
    yield `# ${name}  ${oneLine(answer)}${left}\n`;
  }
  if (part !== "entries" && part !== "words") return;
  const tell = part === "entries" ? entryLines : wordLines;
  for (const [name, one, other] of sides) {
    const others = new Set(tell(other[part]));
    const lines = tell(one[part]).filter((line) => !others.has(line));
    for (const line of lines.slice(0, SHOWN)) yield `# ${name}  ${line}\n`;
    if (lines.length > SHOWN) yield `# ${name}  and ${lines.length - SHOWN} more\n`;
  }
}

function entryLines(entries: readonly number[]): string[] {
  return groups(entries, 6).map(([vcpu, index, flags, slot, low, high]) =>
    `vCPU ${vcpu}, entry ${index}: flags ${flags}, slot ${slot}, offset ${low! + high! * 2 ** 32}`
  );
}

function wordLines(words: readonly number[]): string[] {
  return groups(words, 2).map(([page, value]) => `host page ${page}: ${value}`);
}

function groups(numbers: readonly number[], size: number): number[][] {
  return Array.from(
    { length: numbers.length / size },
    (_, n) => numbers.slice(n * size, (n + 1) * size),
  );
}

const HEAD = ["", "programs", "calls", "entries", "mismatch"];

/**
 * Formats the result of `dirtyring fuzz` on several kernels for people: one line for each kernel,
 * then the script of each mismatch. If there is a mismatch, all other lines are comments, so
 * `fuzz --file` can read the output as printed. It reads one program, so of several scripts only
 * one may be in the file.
 *
 * @returns Lines with their ends.
 */
export function* fuzzKernelsText(
  result: FuzzKernels,
  page: Page = PLAIN_PAGE,
): Generator<string> {
  const found = result.kernels.filter(({ report }) => (report?.mismatch ?? null) !== null);
  const comment = found.length === 0 ? "" : "# ";
  for (const line of head(result, narrowed(page, comment))) {
    yield `${comment}${line}`.trimEnd() + "\n";
  }
  for (const { report, ...kernel } of found) {
    yield `#\n# kernel ${labelText(kernel)}:\n`;
    yield* fuzzText(report!, page);
  }
}

// A page for what is written behind the mark of a comment.
function narrowed(page: Page, { length }: string): Page {
  return page.columns === null ? page : { ...page, columns: page.columns - length };
}

function* head(result: FuzzKernels, page: Page): Generator<string> {
  const { kernels } = result;
  if (page.header) {
    yield* kernelLegend(kernels, [], page);
    yield "\n";
  }
  const rows = kernels
    .filter(({ report }) => !page.onlyFailures || report === null || !report.ok)
    .map(({ report, ...kernel }) => [
      labelText(kernel),
      ...(report === null ? ["-", "-", "-", "-"] : cells(report, page)),
    ]);
  const aligns = ["left", "right", "right", "right", "prose"] as const;
  if (rows.length > 0) yield* table([HEAD, ...rows], aligns, "", { page, heads: 1 });
  for (const kernel of kernels) {
    const { report } = kernel;
    if (report === null || report.mismatch !== null) continue; // its script says more
    yield* saidOf(kernel, notes(report));
  }
  yield* kernelProblems(result);
}

function* notes(
  { interrupted, programs, planned, kernelLog }: Watched<FuzzResult>,
): Generator<string> {
  if (interrupted !== null) {
    yield `incomplete: interrupted by ${interrupted} after ${programs} of ` +
      countText(planned, "program");
  }
  yield* kernelLogText(kernelLog);
}

function cells(
  { programs, calls, entries, mismatch, seed }: FuzzResult,
  { ink }: Page,
): string[] {
  const numbers = [programs, calls, entries].map(String);
  if (mismatch === null) return [...numbers, ink.good("none")];
  const { number, step, part } = mismatch;
  const which = seed === null ? "the program" : `program ${number}`;
  return [...numbers, ink.bad(`${which}, step ${step}: ${part}`)];
}
