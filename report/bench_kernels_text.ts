import type { BenchKernels, BenchRatio } from "../sweeps/bench_kernels.ts";
import { kernelColumns, kernelProblems, kernelsTable, LINE_WIDTH, saidOf } from "./kernels_text.ts";
import { kernelLogText } from "./kernel_log_text.ts";
import { oneLine } from "./one_line.ts";
import { countText, numberText, sizeText } from "./units.ts";
import { printable } from "../text/printable.ts";

const TITLES: Readonly<Record<BenchRatio["sweep"], string>> = {
  cost: "cost: ring / bitmap, below 1 the ring is faster",
  "ring-size": "ring-size: stores in a second / those with the largest ring",
  pattern: "pattern: a reset of these pages / one of sequential ones",
  sort: "sort: plain / sorted, above 1 sorting pays",
};

/**
 * `dirtyring bench` on several kernels for people: a line for each ratio, a column for each kernel.
 *
 * @param result The result.
 * @param width The characters that a line may have: longer labels are numbers in the tables.
 * @returns Lines with their ends.
 */
export function* benchKernelsText(result: BenchKernels, width = LINE_WIDTH): Generator<string> {
  const { kernels, ratios } = result;
  const sweeps = [...Map.groupBy(ratios, ({ sweep }) => sweep)].map(([sweep, of]) => ({
    title: TITLES[sweep],
    rows: of.map((one) => [
      `  ${placeText(one)}`,
      ...one.ratios.map((ratio) =>
        numberText(ratio === null ? null : Number(ratio.toPrecision(3)))
      ),
    ]),
  }));
  const columns = kernelColumns(kernels, sweeps.flatMap(({ rows }) => rows), width);
  yield* columns.legend;
  yield "\nRatios, each within one kernel: times of different VMs say little of their kernels.\n";
  for (const { title, rows } of sweeps) {
    yield `\n${title}\n`;
    yield* kernelsTable(columns, rows, "right");
  }
  yield* kernelProblems(result);
  yield* endText(result);
}

function placeText(place: BenchRatio): string {
  const { memoryBytes, dirtyPages, ringEntries, pattern, sorted } = place;
  return [
    ...(memoryBytes === null ? [] : [sizeText(memoryBytes)]),
    ...(dirtyPages === null ? [] : [countText(dirtyPages, "page")]),
    ...(ringEntries === null ? [] : [`${ringEntries} entries`]),
    ...(pattern === null ? [] : [printable(pattern)]),
    ...(sorted === true ? ["sorted"] : []),
  ].join(", ");
}

function* endText({ kernels }: BenchKernels): Generator<string> {
  const lines = kernels.flatMap((kernel) => [...saidOf(kernel, notes(kernel.report))]);
  if (lines.length > 0) yield "\n";
  yield* lines;
}

function* notes(report: BenchKernels["kernels"][number]["report"]): Generator<string> {
  if (report === null) return;
  const { emulated, interrupted, problems, kernelLog } = report;
  if (emulated) yield "emulates the guest's stores, which understates what re-arming costs";
  if (interrupted !== null) yield `interrupted by ${interrupted}: figures up to there`;
  for (const problem of problems) yield `PROBLEM: ${oneLine(problem)}`;
  yield* kernelLogText(kernelLog);
}
