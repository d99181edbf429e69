import type { FuzzKernels } from "../checks/fuzz_kernels.ts";
import type { FuzzResult } from "../checks/fuzz_result.ts";
import type { Watched } from "../lab/kernel_log.ts";
import { fuzzText } from "./fuzz_text.ts";
import { kernelLogText } from "./kernel_log_text.ts";
import { kernelLegend, kernelProblems, labelText, saidOf } from "./kernels_text.ts";
import { table } from "./table.ts";
import { countText } from "./units.ts";

const HEAD = ["", "programs", "calls", "entries", "mismatch"];

/**
 * `dirtyring fuzz` on several kernels for people: a line a kernel, then the script of each mismatch. Where
 * there is one, all the other lines are its comments, so that `fuzz --file` reads the output as printed; of several
 * mismatches it reads one at a time.
 *
 * @param result The result.
 * @returns Lines with their ends.
 */
export function* fuzzKernelsText(result: FuzzKernels): Generator<string> {
  const found = result.kernels.filter(({ report }) => (report?.mismatch ?? null) !== null);
  const comment = found.length === 0 ? "" : "# ";
  for (const line of head(result)) yield `${comment}${line}`.trimEnd() + "\n";
  for (const { report, ...kernel } of found) {
    yield `#\n# kernel ${labelText(kernel)}:\n`;
    yield* fuzzText(report!);
  }
}

function* head(result: FuzzKernels): Generator<string> {
  const { kernels } = result;
  yield* kernelLegend(kernels);
  yield "\n";
  const rows = kernels.map(({ report, ...kernel }) => [
    labelText(kernel),
    ...(report === null ? ["-", "-", "-", "-"] : cells(report)),
  ]);
  yield* table([HEAD, ...rows], ["left", "right", "right", "right", "left"]);
  for (const kernel of kernels) {
    const { report } = kernel;
    if (report === null || report.mismatch !== null) continue; // its script tells
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

function cells({ programs, calls, entries, mismatch, seed }: FuzzResult): string[] {
  const numbers = [programs, calls, entries].map(String);
  if (mismatch === null) return [...numbers, "none"];
  const { number, step, part } = mismatch;
  const which = seed === null ? "the program" : `program ${number}`;
  return [...numbers, `${which}, step ${step}: ${part}`];
}
