import { countsNote, interruptedText, kernelLine, timesNote } from "../../report/notes.ts";
import type { Page } from "../../report/page.ts";
import {
  type Align,
  bar,
  countText,
  fractionText,
  numberText,
  oneLine,
  sizeText,
  table,
  timeText,
} from "../../report/table.ts";
import { printable } from "../../text/printable.ts";
import type { BenchResult } from "./bench.ts";
import type { CostCell } from "./bench_cost.ts";
import { countsText, trackingText } from "./bench_counts_text.ts";
import type { CostCrossover } from "./bench_crossing.ts";
import { densityText, patternsText, rangeText, ringSizesText } from "./bench_sweeps_text.ts";

/**
 * Formats the result of `dirtyring bench` for people: of a kernel times, of a model what was
 * counted, and times only where they are asked for. What rests on times is said of a kernel alone.
 *
 * @param page Where it is written. What is quiet tells what did not hold, and the verdict.
 * @returns Lines with their ends.
 */
export function* benchText(result: BenchResult, page: Page): Generator<string> {
  if (page.header) yield* headText(result, page);
  const { times } = page;
  const isModel = result.kernel.backend === "model";
  if (!page.quiet) {
    if (isModel || !times) yield* countsText(result, page);
    if (times) yield* timedText(result, !isModel, page);
  }
  yield* endText(result, page);
}

function* headText(result: BenchResult, { times }: Page): Generator<string> {
  const { options, kernel } = result;
  yield `${kernelLine(kernel)}\n`;
  yield `bench   ${options.guest} guest, ${
    printable(options.pattern)
  }, seed ${options.seed}, ring of ` +
    `${options.ring} entries\n`;
  if (times) {
    yield `        medians of ${countText(result.repetitions, "repetition")} or more, in turn\n`;
    yield* timesNote(kernel.backend, result.emulated, "what re-protecting costs");
  } else yield* countsNote(result.emulated);
}

function* timedText(
  result: BenchResult,
  isCompared: boolean,
  page: Page,
): Generator<string> {
  const { cells, crossover, ringSizes, ringSizeGuest, patterns, sorting, sortPays } = result;
  if (cells.length > 0) yield* costText(cells, page);
  if (cells.length > 0 && isCompared) yield* crossoverText(cells, crossover, page);
  if (ringSizeGuest !== null) yield* ringSizesText(ringSizes, ringSizeGuest, page);
  if (patterns.length > 0) yield* patternsText(patterns, isCompared, page);
  if (sorting.length > 0) yield* densityText(sorting, sortPays, isCompared, page);
}

function* endText(result: BenchResult, page: Page): Generator<string> {
  const { interrupted, problems, ok } = result;
  const blank = page.quiet ? "" : "\n";
  yield* interruptedText(interrupted, page);
  for (const problem of problems) yield `PROBLEM: ${oneLine(problem)}\n`;
  yield ok
    ? `${blank}${interrupted === null ? `ok: ${FOUND}` : endedEarlyText(result)}\n`
    : `${blank}FAILED: ${countText(problems.length, "problem")}\n`;
}

const FOUND = "every tracker found the pages that were stored to, and no others";

// What a bench that was interrupted can say: what it compared by then.
function endedEarlyText({ cells, ringSizes, patterns, sorting }: BenchResult): string {
  const sizes = new Set(cells.map((cell) => `${cell.memoryBytes} ${cell.dirtyPages}`)).size;
  const compared = [
    ["cost", sizes, "size", "sizes"],
    ["ring-size", ringSizes.length, "size", "sizes"],
    ["pattern", patterns.length, "order", "orders"],
    ["sort", sorting.length, "density", "densities"],
  ] as const;
  const parts = compared.filter(([, count]) => count > 0).map(([sweep, count, noun, nouns]) =>
    `${countText(count, noun, nouns)} of the sweep ${sweep}`
  );
  return parts.length === 0
    ? "not compared: it ended before any figure was complete"
    : `ended early: ${FOUND}, with ${parts.join(", ")}`;
}

const BAR_WIDTH = 20;
const HEAD = ["dirty", "tracking", "median", "min", "max", "learn", "re-protect", ""];
const ALIGNS: readonly Align[] = [
  "right",
  "left",
  "right",
  "right",
  "right",
  "right",
  "right",
  "bar",
];

/**
 * Formats the cost sweep: a table for each size of memory.
 *
 * @param cells The cells; those of one size must be adjacent.
 * @param page Where it is written.
 * @returns Lines with their ends; the first line is blank.
 */
export function* costText(cells: readonly CostCell[], page: Page): Generator<string> {
  yield `\n${page.ink.bold("cost:")} to learn which pages are dirty, and to re-protect them\n`;
  for (const memory of Map.groupBy(cells, ({ memoryBytes }) => memoryBytes).values()) {
    yield `\n  ${sizeText(memory[0]!.memoryBytes)}\n`;
    const groups = [...Map.groupBy(memory, ({ dirtyPages }) => dirtyPages).values()];
    yield* table([HEAD, ...groups.flatMap(groupRows)], ALIGNS, "  ", {
      page,
      heads: 1,
      keys: 2,
    });
  }
}

// The rows for one number of pages; the bars compare the ways of tracking.
function groupRows(cells: readonly CostCell[]): string[][] {
  const most = Math.max(...cells.map(({ medianNs }) => medianNs));
  return cells.map((cell, n) => [
    n === 0
      ? `${cell.dirtyPages}`
      : n === 1
      ? fractionText(cell.dirtyFraction)
      : n === 2
      ? `n = ${cell.repetitions}`
      : "",
    trackingText(cell),
    timeText(cell.medianNs),
    timeText(cell.minNs),
    timeText(cell.maxNs),
    timeText(cell.learnNs),
    timeText(cell.rearmNs),
    bar(cell.medianNs, most, BAR_WIDTH),
  ]);
}

/**
 * Formats the ratios of the ring to the plain bitmap, and where the bitmap begins to win.
 *
 * @param page Where it is written.
 * @returns Lines with their ends; the first line is blank.
 */
export function* crossoverText(
  cells: readonly CostCell[],
  crossovers: readonly CostCrossover[],
  page: Page,
): Generator<string> {
  const pages = [...new Set(cells.map(({ dirtyPages }) => dirtyPages))].sort((a, b) => a - b);
  const rows = crossovers.flatMap(({ memoryBytes, sorted, ...plain }) =>
    [plain, sorted].map((from, n) => [
      n === 0 ? sizeText(memoryBytes) : "",
      n === 0 ? "ring" : "ring, sorted",
      ...pages.map((dirtyPages) =>
        ratioText(cells, { memoryBytes, dirtyPages, tracking: "ring", sorted: n === 1 })
      ),
      crossingText(from),
    ])
  );
  yield "\n  ring / bitmap: below 1 the ring is faster; by dirty pages\n";
  yield* table(
    [["memory", "", ...pages.map(String), "the bitmap wins"], ...rows],
    ["right", "left", ...pages.map(() => "right" as const), "prose"],
    "  ",
    { page, heads: 1, keys: 2 },
  );
}

type Place = Pick<CostCell, "memoryBytes" | "dirtyPages" | "tracking" | "sorted">;

function ratioText(cells: readonly CostCell[], place: Place): string {
  const found = cells.find((cell) =>
    cell.memoryBytes === place.memoryBytes && cell.dirtyPages === place.dirtyPages &&
    cell.tracking === place.tracking && cell.sorted === place.sorted
  );
  return found === undefined ? "-" : numberText(Number(found.ratio.toPrecision(3)));
}

/**
 * Says where the bitmap begins to win.
 *
 * @returns `from 0.41 % dirty on (0.13 to 0.45 %)`, or words for a range without such a fraction.
 */
export function crossingText(crossing: CostCrossover["sorted"]): string {
  const { dirtyFraction, outcome } = crossing;
  if (dirtyFraction !== null) {
    return `from ${fractionText(dirtyFraction)} dirty on (${rangeText(crossing)})`;
  }
  if (outcome === "unclear") return "here and there";
  return outcome === "ring" ? "nowhere in this range" : "everywhere in this range";
}
