import type { PagesReport, RoundsCheck, StatsReport, StatsResult } from "../../drive/story.ts";
import type { KernelFacts } from "../../host/facts.ts";
import { countsNote, interruptedText, labHead, lostText, timesNote } from "../../report/notes.ts";
import type { Page } from "../../report/page.ts";
import { bar, countText, numberText, oneLine, table, timeText } from "../../report/table.ts";
import type { Rule } from "../../ring/coalesce.ts";
import type { Bucket, Statistics } from "../../ring/statistics.ts";

const BAR_WIDTH = 40;

/**
 * Formats the result of `dirtyring stats` for people.
 *
 * @param page Where it is written. What is quiet tells what did not hold.
 * @returns Lines with their ends.
 */
export function* statsText(
  result: StatsResult,
  _options: unknown,
  page: Page,
): Generator<string> {
  yield* labHead(result, page);
  if (!page.quiet) yield* statisticsText(result, result.kernel.backend, page);
  yield* checkText(result, page);
}

/**
 * Formats the coalescing statistics, and what was measured beside them.
 *
 * @param backend Which kernel answered.
 * @param page Where it is written.
 * @param isSorted Whether the entries were sorted in the ring. The column for sorted entries is
 * then left out.
 * @returns Lines with their ends; the first line is blank.
 */
export function* statisticsText(
  report: StatsReport,
  backend: KernelFacts["backend"],
  page: Page,
  isSorted = false,
): Generator<string> {
  const title = `coalescing, modelled by the rule of Linux ${RULES[report.rule]}`;
  yield `\n${page.ink.bold(title)}\n`;
  const columns = report.rings.length === 1 ? [["", report.total] as const] : [
    ...report.rings.map((ring) => [`vCPU ${ring.vcpu}`, ring] as const),
    ["total", report.total] as const,
  ];
  const rows = FIGURES.map(([name, figure]) => [name, ...columns.map(([, s]) => figure(s))]);
  const sums = columns.map(([, { uniquePages }]) => `${uniquePages}`);
  if (columns.some(([, { uniquePages, distinctPages }]) => uniquePages !== distinctPages)) {
    rows.splice(UNIQUE_ROW + 1, 0, ["  summed over the windows", ...sums]);
  }
  const heads = columns.length === 1 ? [] : [["", ...columns.map(([head]) => head)]];
  yield* table([...heads, ...rows], ["left", ...columns.map(() => "right" as const)], "  ", {
    page,
    heads: heads.length,
  });
  yield* ordersText(report.total, isSorted, page);
  yield* histogramText(report.total.pagesPerBatch.histogram, page);
  yield* endsText(report.total, page);
  if (page.times) yield* measuredText(report, backend, isSorted, page);
  else if (report.measured.emulated) yield* ["\n", ...countsNote(true)];
}

const RULES: Readonly<Record<Rule, string>> = {
  "v5.11": "v5.11 to v6.9",
  "v6.10": "v6.10 to v6.16",
  "v6.17": "v6.17 and newer",
};

const FIGURES: readonly (readonly [string, (report: PagesReport) => string])[] = [
  ["windows (one ring in one reset)", (s) => `${s.windows}`],
  ["entries", (s) => `${s.entries}`],
  ["unique pages", (s) => `${s.distinctPages}`],
  ["duplicates within a window", (s) => `${s.duplicates}`],
  ["batches", (s) => `${s.batches}`],
  ["kvm_reset_dirty_gfn calls", (s) => `${s.calls}`],
];

/** Where the number of unique pages stands. */
const UNIQUE_ROW = 2;

function* ordersText(
  { entriesPerBatch, pagesPerBatch, batches, sorted }: Statistics,
  isSorted: boolean,
  page: Page,
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
    { page, heads: 1 },
  );
}

function* histogramText(histogram: readonly Bucket[], page: Page): Generator<string> {
  const most = Math.max(1, ...histogram.map(({ batches }) => batches));
  const rows = histogram.map(({ from, to, batches }) => [
    from === to ? `${from}` : `${from}–${to}`,
    `${batches}`,
    bar(batches, most, BAR_WIDTH),
  ]);
  yield "\n";
  yield* table([["pages a batch", "batches", ""], ...rows], ["right", "right", "bar"], "  ", {
    page,
    heads: 1,
  });
}

function* endsText({ ends }: Statistics, page: Page): Generator<string> {
  yield "\n";
  yield* table(
    [
      ["batches ended by", ""],
      ["another slot", `${ends.otherSlot}`],
      ["64 or more pages ahead", `${ends.forwardWindow}`],
      ["64 or more pages behind", `${ends.backwardWindow}`],
      ["a step back past the mask", `${ends.maskOverflow}`],
      ["the end of what was harvested", `${ends.ringEnd}`],
    ],
    ["left", "right"],
    "  ",
    { page, heads: 1 },
  );
}

function* measuredText(
  { measured }: StatsReport,
  backend: KernelFacts["backend"],
  isSorted: boolean,
  page: Page,
): Generator<string> {
  const { repetitions, resetNsPerEntry, sequentialResetNsPerEntry, emulated } = measured;
  if (repetitions === 0) {
    yield "\nreset not measured: the run ended early\n";
    return;
  }
  const title = `reset, measured: median of ${countText(repetitions, "round")} each, in turn`;
  yield `\n${page.ink.bold(title)}\n`;
  yield* table(
    [
      [isSorted ? "this pattern, plain" : "this pattern", `${timeText(resetNsPerEntry)} an entry`],
      ["sequential", `${timeText(sequentialResetNsPerEntry)} an entry`],
    ],
    ["left", "right"],
    "  ",
  );
  yield* timesNote(backend, emulated, "what a reset costs");
}

/**
 * Formats what the check of a run found: an interrupt, problems and lost pages.
 *
 * @param page Where it is written.
 * @returns Lines with their ends.
 */
export function* checkText(
  check: RoundsCheck,
  page: Pick<Page, "quiet">,
): Generator<string> {
  yield* interruptedText(check.interrupted, page);
  for (const problem of check.problems) yield `PROBLEM: ${oneLine(problem)}\n`;
  yield* lostText(check.lost);
}
