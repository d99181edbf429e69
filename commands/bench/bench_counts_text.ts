// The sweeps of a bench without times: what they counted, which is the same on every kernel.

import type { Page } from "../../report/page.ts";
import { bar, countText, fractionText, numberText, sizeText, table } from "../../report/table.ts";
import { printable } from "../../text/printable.ts";
import type { BenchResult } from "./bench.ts";
import type { CostCell } from "./bench_cost.ts";
import type { PatternCost, RingSizeCost, RingSizeGuest } from "./bench_ring_sizes.ts";
import type { SortDensity } from "./bench_sort.ts";

const BAR_WIDTH = 20;

/**
 * The name of a way of tracking.
 *
 * @returns `ring`, `ring, sorted`, `bitmap` or `bitmap-manual`.
 */
export function trackingText({ tracking, sorted }: Pick<CostCell, "tracking" | "sorted">): string {
  return sorted ? `${tracking}, sorted` : tracking;
}

/**
 * Formats what the sweeps of a bench counted.
 *
 * @param page Where it is written.
 * @returns Lines with their ends; the first line is blank.
 */
export function* countsText(result: BenchResult, page: Page): Generator<string> {
  const { cells, ringSizes, ringSizeGuest, patterns, sorting } = result;
  if (cells.length > 0) {
    yield* costCounts(cells, page);
    yield* readRatios(cells, page);
  }
  if (ringSizeGuest !== null) yield* ringSizeCounts(ringSizes, ringSizeGuest, page);
  if (patterns.length > 0) yield* patternCounts(patterns, page);
  if (sorting.length > 0) yield* sortCounts(sorting, page);
}

function* costCounts(cells: readonly CostCell[], page: Page): Generator<string> {
  yield `\n${page.ink.bold("cost:")} to learn which pages are dirty, and to re-protect them\n` +
    "  read: bytes of entries, or of the bitmap, that userspace reads;\n" +
    "  copied: bytes of the bitmap that KVM copies;\n" +
    "  masks: up to 64 pages that are re-protected at once, modelled for a ring\n";
  for (const memory of Map.groupBy(cells, ({ memoryBytes }) => memoryBytes).values()) {
    yield `\n  ${sizeText(memory[0]!.memoryBytes)}\n`;
    const groups = [...Map.groupBy(memory, ({ dirtyPages }) => dirtyPages).values()];
    yield* table(
      [["dirty", "tracking", "read", "copied", "masks", ""], ...groups.flatMap(groupRows)],
      ["right", "left", "right", "right", "right", "bar"],
      "  ",
      { page, heads: 1, keys: 2 },
    );
  }
}

// The rows for one number of pages; the bars compare what is read.
function groupRows(cells: readonly CostCell[]): string[][] {
  const most = Math.max(...cells.map(({ bytesRead }) => bytesRead));
  return cells.map((cell, n) => [
    n === 0 ? `${cell.dirtyPages}` : n === 1 ? fractionText(cell.dirtyFraction) : "",
    trackingText(cell),
    `${cell.bytesRead}`,
    `${cell.bytesCopied}`,
    `${cell.masks}`,
    bar(cell.bytesRead, most, BAR_WIDTH),
  ]);
}

function* readRatios(cells: readonly CostCell[], page: Page): Generator<string> {
  const pages = [...new Set(cells.map(({ dirtyPages }) => dirtyPages))].sort((a, b) => a - b);
  const rows = [...Map.groupBy(cells, ({ memoryBytes }) => memoryBytes)].map(([memory, inside]) => [
    sizeText(memory),
    ...pages.map((dirtyPages) => {
      const read = (tracking: CostCell["tracking"]) =>
        inside.find((cell) => cell.tracking === tracking && cell.dirtyPages === dirtyPages)
          ?.bytesRead;
      const [ring, bitmap] = [read("ring"), read("bitmap")];
      return numberText(
        ring === undefined || bitmap === undefined ? null : Number((ring / bitmap).toPrecision(3)),
      );
    }),
  ]);
  yield "\n  read, ring / bitmap: below 1 the ring reads less; by dirty pages\n";
  yield* table([["memory", ...pages.map(String)], ...rows], rows[0]!.map(() => "right"), "  ", {
    page,
    heads: 1,
  });
}

function* ringSizeCounts(
  sizes: readonly RingSizeCost[],
  { vcpus, stores, dirtyPages, intervalMs }: RingSizeGuest,
  page: Page,
): Generator<string> {
  yield `\n${page.ink.bold("ring-size:")} ${
    countText(vcpus, "vCPU")
  } that run while they are harvested, every ${intervalMs} ms and when a ring is full;\n` +
    `  ${countText(stores, "store")} to ${countText(dirtyPages, "page")}\n`;
  const most = Math.max(...sizes.map(({ fullExits }) => fullExits));
  yield* table(
    [
      ["ring", "entries", "full exits", "entries for each", ""],
      ...sizes.map(({ ringEntries, entries, fullExits }) => [
        `${ringEntries}`,
        entries.toFixed(0),
        fullExits.toFixed(0),
        fullExits === 0 ? "-" : (entries / fullExits).toFixed(0),
        bar(fullExits, most, BAR_WIDTH),
      ]),
    ],
    ["right", "right", "right", "right", "bar"],
    "  ",
    { page, heads: 1 },
  );
}

function* patternCounts(patterns: readonly PatternCost[], page: Page): Generator<string> {
  const [first] = patterns;
  yield `\n${
    page.ink.bold("pattern:")
  } the batches of a reset of ${first?.entries} entries in different orders, modelled\n`;
  const most = Math.max(...patterns.map(({ batches }) => batches));
  yield* table(
    [
      ["pattern", "batches", "pages a batch", ""],
      ...patterns.map(({ pattern, batches, pagesPerBatch }) => [
        printable(pattern),
        `${batches}`,
        numberText(pagesPerBatch),
        bar(batches, most, BAR_WIDTH),
      ]),
    ],
    ["left", "right", "right", "bar"],
    "  ",
    { page, heads: 1 },
  );
}

function* sortCounts(densities: readonly SortDensity[], page: Page): Generator<string> {
  yield `\n${
    page.ink.bold("sort:")
  } the batches of random pages of a slot, plain and sorted in the ring before marking, ` +
    "modelled\n";
  yield* table(
    [
      ["dirty", "pages", "plain", "sorted", "plain / sorted", ""],
      ...densities.map(({ dirtyFraction, dirtyPages, plain, sorted }) => [
        fractionText(dirtyFraction),
        `${dirtyPages}`,
        `${plain.batches}`,
        `${sorted.batches}`,
        numberText(Number((plain.batches / sorted.batches).toPrecision(3))),
        bar(plain.batches / sorted.batches, mostGain(densities), BAR_WIDTH),
      ]),
    ],
    ["right", "right", "right", "right", "right", "bar"],
    "  ",
    { page, heads: 1 },
  );
}

function mostGain(densities: readonly SortDensity[]): number {
  return Math.max(...densities.map(({ plain, sorted }) => plain.batches / sorted.batches));
}
