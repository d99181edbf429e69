import type { Context } from "../../cli/command.ts";
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
import {
  kernelColumns,
  kernelProblems,
  kernelsTable,
  LINE_WIDTH,
  saidOf,
} from "../../report/kernels_text.ts";
import { kernelLogText } from "../../report/notes.ts";
import { countText, numberText, oneLine, sizeText } from "../../report/table.ts";
import { printable } from "../../text/printable.ts";
import type { BenchResult } from "./bench.ts";
import type { Sweep } from "./bench_options.ts";

/** What a ratio was measured for; `null` where it does not apply. */
export interface BenchPlace {
  /** The sweep. */
  readonly sweep: Sweep;
  /** Logged guest memory in bytes. */
  readonly memoryBytes: number | null;
  /** Dirty pages. */
  readonly dirtyPages: number | null;
  /** The size of each ring in entries. */
  readonly ringEntries: number | null;
  /** The order of pages. */
  readonly pattern: string | null;
  /** Whether entries are sorted in the ring before they are marked. */
  readonly sorted: boolean | null;
}

/**
 * A ratio on each kernel. It is one within that kernel: in `cost` the ring's time / the plain bitmap's; in `ring-size`
 * stores in a second / those with the largest ring; in `pattern` the time of a reset / that of the first pattern; in
 * `sort` the plain time / the sorted one.
 */
export interface BenchRatio extends BenchPlace {
  /** The ratio on each kernel, in their order; `null` where it was not measured. */
  readonly ratios: readonly (number | null)[];
}

/** `dirtyring bench` on several kernels. */
export interface BenchKernels extends KernelRuns<Watched<BenchResult>> {
  /** What it is. */
  readonly schema: "dirtyring.bench-kernels/1";
  /** What can be compared, in the order of the sweeps. */
  readonly ratios: readonly BenchRatio[];
}

/**
 * Holds what sweeps came to on several kernels against each other.
 *
 * @param runs The kernels, as they were given.
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
 * Finds what can be compared: ratios, since times of different VMs say little.
 *
 * @returns Each ratio, on all of them.
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
  // Those of a sweep stand together, also where only a later kernel has them.
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

// What all the others are held against has no ratio of its own.
function* ratiosOf(result: BenchResult): Generator<FoundRatio> {
  const { cells, ringSizes, patterns, sorting } = result;
  for (const { tracking, memoryBytes, dirtyPages, sorted, ratio } of cells) {
    if (tracking === "ring") {
      yield { ...NOWHERE, sweep: "cost", memoryBytes, dirtyPages, sorted, ratio };
    }
  }
  // From small to large.
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
 * `dirtyring bench` on several kernels for people: a line for each ratio, a column for each kernel.
 *
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

/**
 * `dirtyring bench` on several kernels: one after another, since what is measured at the same time disturbs itself.
 *
 * @param request The machines and the command line.
 * @returns What each came to.
 * @throws {KernelFileError} Where a kernel, or its modules, cannot be had.
 * @throws {HostError} Where there is no emulator for one.
 */
export async function benchInMachines(
  request: MachineRequest,
  context: Context,
): Promise<BenchKernels> {
  const files = new MachineFiles();
  const { runs, signal } = await askMachines<Watched<BenchResult>>(request, files, 1, context);
  return benchKernels(runs, signal);
}
