import type { RoundsCheck, StatsReport, StatsResult } from "../../drive/story.ts";
import type { KernelFacts } from "../../host/facts.ts";
import { labHead, lostText, timesNote } from "../../report/notes.ts";
import { bar, countText, numberText, oneLine, table, timeText } from "../../report/table.ts";
import type { Bucket, Statistics } from "../../ring/statistics.ts";

const BAR_WIDTH = 40;

/**
 * Formats the result of `dirtyring stats` for people.
 *
 * @returns Lines with their ends.
 */
export function* statsText(result: StatsResult): Generator<string> {
  yield* labHead(result);
  yield* statisticsText(result, result.kernel.backend);
  yield* checkText(result);
}

/**
 * Formats the coalescing statistics, and what was measured beside them.
 *
 * @param backend Which kernel answered.
 * @param isSorted Whether the entries were sorted in the ring. The column for sorted entries is
 * then left out.
 * @returns Lines with their ends; the first line is blank.
 */
export function* statisticsText(
  report: StatsReport,
  backend: KernelFacts["backend"],
  isSorted = false,
): Generator<string> {
  yield `\ncoalescing, modelled by the rule of Linux ${report.rule} on\n`;
  const columns = report.rings.length === 1 ? [["", report.total] as const] : [
    ...report.rings.map((ring) => [`vCPU ${ring.vcpu}`, ring] as const),
    ["total", report.total] as const,
  ];
  const rows = FIGURES.map(([name, figure]) => [name, ...columns.map(([, s]) => figure(s))]);
  const heads = columns.length === 1 ? [] : [["", ...columns.map(([head]) => head)]];
  yield* table([...heads, ...rows], ["left", ...columns.map(() => "right" as const)], "  ");
  yield* ordersText(report.total, isSorted);
  yield* histogramText(report.total.pagesPerBatch.histogram);
  yield* endsText(report.total);
  yield* measuredText(report, backend, isSorted);
}

const FIGURES: readonly (readonly [string, (statistics: Statistics) => string])[] = [
  ["windows (one ring in one reset)", (s) => `${s.windows}`],
  ["entries", (s) => `${s.entries}`],
  ["unique pages", (s) => `${s.uniquePages}`],
  ["duplicates", (s) => `${s.duplicates}`],
  ["batches", (s) => `${s.batches}`],
  ["kvm_reset_dirty_gfn calls", (s) => `${s.calls}`],
];

function* ordersText(
  { entriesPerBatch, pagesPerBatch, batches, sorted }: Statistics,
  isSorted: boolean,
): Generator<string> {
  const row = (name: string, a: number | null, b: number | null) => [
    name,
    numberText(a),
    ...(isSorted ? [] : [numberText(b)]),
  ];
  yield "\n";
  yield* table(
    [
      ["", ...(isSorted ? ["as sorted"] : ["as harvested", "had it been sorted"])],
      row("batches", batches, sorted.batches),
      row("entries a batch, mean", entriesPerBatch.mean, sorted.entriesPerBatch.mean),
      row("                 median", entriesPerBatch.median, sorted.entriesPerBatch.median),
      row("                 largest", entriesPerBatch.max, sorted.entriesPerBatch.max),
      row("pages a batch,   mean", pagesPerBatch.mean, sorted.pagesPerBatch.mean),
      row("                 median", pagesPerBatch.median, sorted.pagesPerBatch.median),
      row("                 largest", pagesPerBatch.max, sorted.pagesPerBatch.max),
    ],
    ["left", "right", "right"],
    "  ",
  );
}

function* histogramText(histogram: readonly Bucket[]): Generator<string> {
  const most = Math.max(1, ...histogram.map(({ batches }) => batches));
  const rows = histogram.map(({ from, to, batches }) => [
    from === to ? `${from}` : `${from}–${to}`,
    `${batches}`,
    bar(batches, most, BAR_WIDTH),
  ]);
  yield "\n";
  yield* table([["pages a batch", "batches", ""], ...rows], ["right", "right", "left"], "  ");
}

function* endsText({ ends }: Statistics): Generator<string> {
  yield "\n";
  yield* table(
    [
      ["batches ended by", ""],
      ["another slot", `${ends.otherSlot}`],
      ["64 or more pages ahead", `${ends.forwardWindow}`],
      ["64 or more pages behind", `${ends.backwardWindow}`],
      ["a step back past the mask", `${ends.maskOverflow}`],
      ["the end of the ring", `${ends.ringEnd}`],
    ],
    ["left", "right"],
    "  ",
  );
}

function* measuredText(
  { measured }: StatsReport,
  backend: KernelFacts["backend"],
  isSorted: boolean,
): Generator<string> {
  const { repetitions, resetNsPerEntry, sequentialResetNsPerEntry, emulated } = measured;
  if (repetitions === 0) {
    yield "\nreset not measured: the run ended early\n";
    return;
  }
  yield `\nreset, measured: median of ${countText(repetitions, "round")} each, in turn\n`;
  yield* table(
    [
      [isSorted ? "this pattern, plain" : "this pattern", `${timeText(resetNsPerEntry)} an entry`],
      ["sequential", `${timeText(sequentialResetNsPerEntry)} an entry`],
    ],
    ["left", "right"],
    "  ",
  );
  yield* timesNote(backend, emulated, "what a reset costs, and every store pushes an entry");
}

/**
 * Formats what the check of a run found: an interrupt, problems and lost pages.
 *
 * @returns Lines with their ends.
 */
export function* checkText(check: RoundsCheck): Generator<string> {
  if (check.interrupted !== null) {
    yield `\ninterrupted by ${check.interrupted}: figures up to there\n`;
  }
  for (const problem of check.problems) yield `PROBLEM: ${oneLine(problem)}\n`;
  yield* lostText(check.lost);
}
