// `dirtyring bench` on several kernels: running it, comparing the results, and showing them.

import type { Context } from "../../cli/context.ts";
import { askMachines } from "../../cli/compare_machines.ts";
import { MachineFiles } from "../../cli/machine_files.ts";
import type { MachineRequest } from "../../cli/machine_request.ts";
import type { InterruptSignal } from "../../host/interrupt.ts";
import type { Watched } from "../../host/kernel_log.ts";
import {
  type KernelRun,
  type KernelRuns,
  kernelRuns,
  type UnlabelledRun,
} from "../../host/kernel_run.ts";
import { kernelColumns, kernelProblems, kernelsTable, saidOf } from "../../report/kernels_text.ts";
import { kernelLogText } from "../../report/notes.ts";
import { type Page, PLAIN_PAGE } from "../../report/page.ts";
import { countText, numberText, oneLine, sizeText } from "../../report/table.ts";
import { printable } from "../../text/printable.ts";
import type { BenchResult } from "./bench.ts";
import type { Sweep } from "./bench_options.ts";

/** What a ratio was measured for; `null` for what does not apply. */
export interface BenchPlace {
  /** The sweep. */
  readonly sweep: Sweep;
  /** Logged guest memory in bytes. */
  readonly memoryBytes: number | null;
  /** Number of dirty pages. */
  readonly dirtyPages: number | null;
  /** The size of each ring in entries. */
  readonly ringEntries: number | null;
  /** The order of pages. */
  readonly pattern: string | null;
  /** Whether entries are sorted in the ring before they are marked. */
  readonly sorted: boolean | null;
}

/**
 * A ratio on each kernel, always of two figures from that kernel. In `cost`: time of the ring /
 * time of the plain bitmap. In `ring-size`: stores per second / those with the largest ring. In
 * `pattern`: time of a reset / that of the first pattern. In `sort`: time of the plain way / time
 * of the sorted way.
 */
export interface BenchRatio extends BenchPlace {
  /** The ratio on each kernel, in the order of the kernels; `null` if it was not measured. */
  readonly ratios: readonly (number | null)[];
}

/** The result of `dirtyring bench` on several kernels. */
export interface BenchKernels extends KernelRuns<Watched<BenchResult>> {
  /** Name and version of this format. */
  readonly schema: "dirtyring.bench-kernels/1";
  /** The ratios, in the order of the sweeps. */
  readonly ratios: readonly BenchRatio[];
}

/**
 * Compares the results of several kernels.
 *
 * @param runs The kernels, in the given order.
 * @param interrupted The signal that ended it early, or `null`.
 */
export function benchKernels(
  runs: readonly UnlabelledRun<Watched<BenchResult>>[],
  interrupted: InterruptSignal | null,
): BenchKernels {
  const all = kernelRuns(runs, interrupted);
  return { schema: "dirtyring.bench-kernels/1", ...all, ratios: compareBench(all.kernels) };
}

/**
 * Finds the ratios that can be compared. Only ratios are: times of different VMs say little.
 *
 * @returns Each ratio, on all kernels.
 */
export function compareBench(
  kernels: readonly Pick<KernelRun<Watched<BenchResult>>, "report">[],
): BenchRatio[] {
  const found = kernels.map(({ report }) => report === null ? [] : [...ratiosOf(report)]);
  const byPlace = Map.groupBy(found.flat(), keyOf);
  const rows = [...byPlace.values()].map(([first]): BenchRatio => {
    const { ratio: _, ...place } = first!;
    const key = keyOf(first!);
    const ratios = found.map((of) => of.find((one) => keyOf(one) === key)?.ratio ?? null);
    return { ...place, ratios };
  });
  // Keep the ratios of a sweep together, even if only a later kernel has some of them.
  return [...Map.groupBy(rows, ({ sweep }) => sweep).values()].flat();
}

interface FoundRatio extends BenchPlace {
  readonly ratio: number;
}

const NOWHERE: Omit<BenchPlace, "sweep"> = {
  memoryBytes: null,
  dirtyPages: null,
  ringEntries: null,
  pattern: null,
  sorted: null,
};

function keyOf({ ratio: _, ...place }: FoundRatio): string {
  return JSON.stringify(place);
}

// The ratios of a result. What the others are compared with has no ratio of its own.
function* ratiosOf(result: BenchResult): Generator<FoundRatio> {
  const { cells, ringSizes, patterns, sorting } = result;
  for (const { tracking, memoryBytes, dirtyPages, sorted, ratio } of cells) {
    if (tracking === "ring") {
      yield { ...NOWHERE, sweep: "cost", memoryBytes, dirtyPages, sorted, ratio };
    }
  }
  // From small to large, so the last is the largest.
  const largest = ringSizes.at(-1);
  for (const { ringEntries, storesPerSecond } of ringSizes.slice(0, -1)) {
    const ratio = storesPerSecond / largest!.storesPerSecond;
    yield { ...NOWHERE, sweep: "ring-size", ringEntries, ratio };
  }
  for (const { pattern, ratio } of patterns.slice(1)) {
    yield { ...NOWHERE, sweep: "pattern", pattern, ratio };
  }
  for (const { dirtyPages, ratio } of sorting) {
    yield { ...NOWHERE, sweep: "sort", dirtyPages, ratio };
  }
}

const TITLES: Readonly<Record<BenchRatio["sweep"], string>> = {
  cost: "cost: ring / bitmap, below 1 the ring is faster",
  "ring-size": "ring-size: stores in a second / those with the largest ring",
  pattern: "pattern: a reset of these pages / one of sequential ones",
  sort: "sort: plain / sorted, above 1 sorting pays",
};

/**
 * Formats the result of `dirtyring bench` on several kernels for people: a line for each ratio, a
 * column for each kernel.
 *
 * @param page Where it is written: if labels are too long for its width, the tables have numbers
 * instead; `times`: whether times, and so their ratios, are shown.
 * @returns Lines with their ends.
 */
export function* benchKernelsText(
  result: BenchKernels,
  page: Page = PLAIN_PAGE,
): Generator<string> {
  const { kernels } = result;
  const { times } = page;
  const ratios = times ? result.ratios : [];
  const sweeps = [...Map.groupBy(ratios, ({ sweep }) => sweep)].map(([sweep, of]) => ({
    title: TITLES[sweep],
    rows: of.map((one) => [
      `  ${placeText(one)}`,
      ...one.ratios.map((ratio) =>
        numberText(ratio === null ? null : Number(ratio.toPrecision(3)))
      ),
    ]),
  }));
  const columns = kernelColumns(kernels, sweeps.flatMap(({ rows }) => rows), page);
  if (page.header) yield* columns.legend;
  if (times && !page.quiet) {
    yield "\nRatios, each within one kernel: times of different VMs say little of their kernels.\n";
  }
  for (const { title, rows } of page.quiet ? [] : sweeps) {
    yield `\n${page.ink.bold(title)}\n`;
    yield* kernelsTable(columns, rows, "right", page);
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
  if (emulated) yield "emulates the guest's stores, which understates what re-protecting costs";
  if (interrupted !== null) yield `interrupted by ${interrupted}: figures up to there`;
  for (const problem of problems) yield `PROBLEM: ${oneLine(problem)}`;
  yield* kernelLogText(kernelLog);
}

/**
 * Runs `dirtyring bench` on several kernels, one after another: measurements at the same time would
 * disturb each other.
 *
 * @param request The machines and the command line.
 * @throws {KernelFileError} If a kernel, or its modules, cannot be found.
 * @throws {HostError} If there is no emulator for one of them.
 */
export async function benchInMachines(
  request: MachineRequest,
  context: Context,
): Promise<BenchKernels> {
  const files = new MachineFiles();
  const { runs, signal } = await askMachines<Watched<BenchResult>>(request, files, 1, context);
  return benchKernels(runs, signal);
}
