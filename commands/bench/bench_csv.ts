import type { Page } from "../../report/page.ts";
import type { BenchResult } from "./bench.ts";

const COLUMNS = "sweep,memoryBytes,dirtyPages,ringEntries,pattern,tracking,sorted,repetitions," +
  "figure,median,min,max";

const TIMED = /(Ns|NsPerEntry|PerSecond)$/;

interface Row {
  readonly sweep: string;
  readonly memoryBytes?: number;
  readonly dirtyPages?: number;
  readonly ringEntries?: number;
  readonly pattern?: string;
  readonly tracking?: string;
  readonly sorted?: boolean;
  readonly repetitions: number;
  readonly figure: string;
  readonly median: number | null;
  readonly min?: number;
  readonly max?: number;
}

/**
 * Formats all figures of `dirtyring bench` as CSV with a header line, if the page has heads
 * (RFC 4180, except for line ends). Each row has one figure. Fields that do not apply are empty; no field needs quotes.
 *
 * @param page `times`: whether figures that are times, or rates, have rows; `header`.
 * @returns Lines with their ends.
 */
export function* benchCsv(
  result: BenchResult,
  _options: unknown,
  { times, header }: Pick<Page, "times" | "header">,
): Generator<string> {
  if (header) yield `${COLUMNS}\n`;
  for (const row of rowsOf(result)) {
    if (row.median === null || (!times && TIMED.test(row.figure))) continue;
    const fields: Readonly<Record<string, unknown>> = { ...row };
    yield `${COLUMNS.split(",").map((name) => fields[name] ?? "").join()}\n`;
  }
}

function* rowsOf({ cells, ringSizes, patterns, sorting }: BenchResult): Generator<Row> {
  for (const cell of cells) {
    const { memoryBytes, dirtyPages, tracking, sorted, repetitions } = cell;
    const of = { sweep: "cost", memoryBytes, dirtyPages, tracking, sorted, repetitions };
    const { medianNs: median, minNs: min, maxNs: max } = cell;
    yield { ...of, figure: "totalNs", median, min, max };
    yield { ...of, figure: "learnNs", median: cell.learnNs };
    yield { ...of, figure: "rearmNs", median: cell.rearmNs };
    yield { ...of, figure: "scanNs", median: cell.scanNs };
    yield { ...of, figure: "fullExits", median: cell.fullExits };
    yield { ...of, figure: "bytesRead", median: cell.bytesRead };
    yield { ...of, figure: "bytesCopied", median: cell.bytesCopied };
    yield { ...of, figure: "masks", median: cell.masks };
  }
  for (const size of ringSizes) {
    const { ringEntries, repetitions, minStoresPerSecond: min, maxStoresPerSecond: max } = size;
    const of = { sweep: "ring-size", ringEntries, repetitions };
    yield { ...of, figure: "storesPerSecond", median: size.storesPerSecond, min, max };
    yield { ...of, figure: "fullExits", median: size.fullExits };
    yield { ...of, figure: "stoppedNs", median: size.stoppedNs };
    yield { ...of, figure: "entries", median: size.entries };
  }
  for (const one of patterns) {
    const { pattern, repetitions, minNsPerEntry: min, maxNsPerEntry: max } = one;
    const of = { sweep: "pattern", pattern, repetitions };
    yield { ...of, figure: "resetNsPerEntry", median: one.resetNsPerEntry, min, max };
    yield { ...of, figure: "batches", median: one.batches };
  }
  for (const { dirtyPages, repetitions, plain, sorted } of sorting) {
    for (const [costs, isSorted] of [[plain, false], [sorted, true]] as const) {
      const of = { sweep: "sort", dirtyPages, sorted: isSorted, repetitions };
      yield { ...of, figure: "harvestNsPerEntry", median: costs.harvestNsPerEntry };
      yield { ...of, figure: "sortNsPerEntry", median: costs.sortNsPerEntry };
      yield { ...of, figure: "resetNsPerEntry", median: costs.resetNsPerEntry };
      yield { ...of, figure: "batches", median: costs.batches };
    }
  }
}
