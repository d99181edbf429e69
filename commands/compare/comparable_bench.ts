// Comparable parts of `bench`: a place for each cell of its sweeps.
import { countText, sizeText } from "../../report/table.ts";
import {
  type Counts,
  cutShort,
  Figures,
  holds,
  optionsOf,
  type Parts,
  plain,
  samplesOf,
} from "./comparable_parts.ts";
import type { Foreign } from "./foreign.ts";

/** What must be the same for two benches to be comparable. Sizes and sweeps may differ. */
const OPTIONS = ["guest", "pattern", "seed", "ring"];

/** The options of a bench that must be the same. */
export function benchOptions(options: Foreign): Record<string, string> {
  return optionsOf(options, OPTIONS, "options.");
}

/** The parts of a bench. */
export function benchParts(result: Foreign, isModel: boolean): Parts {
  const figures = new Figures(isModel);
  const cells = result.at("cells").list();
  const bitmaps = new Map(
    cells.filter(isBitmap).map((cell) => [sizeOf(cell), totalsOf(cell)]),
  );
  for (const cell of cells) addCell(figures, cell, bitmaps.get(sizeOf(cell)) ?? null);
  for (const size of result.at("ringSizes").list()) addRingSize(figures, size);
  const patterns = result.at("patterns").list();
  const [sequential] = patterns;
  for (const pattern of patterns) addPattern(figures, pattern, sequential!);
  for (const density of result.at("sorting").list()) addSorting(figures, density);
  return {
    options: benchOptions(result.at("options")),
    statements: [holds(result)],
    figures: figures.list,
    partial: cutShort(result),
  };
}

function isBitmap(cell: Foreign): boolean {
  return cell.at("tracking").text() === "bitmap";
}

function sizeOf(cell: Foreign): string {
  const size = sizeText(cell.at("memoryBytes").amount());
  return `${size}, ${countText(cell.at("dirtyPages").amount(), "page")}`;
}

// The sum of each repetition; getting the plain bitmap re-protects, too.
function totalsOf(cell: Foreign): readonly number[] | null {
  const learn = samplesOf(cell, "learnNs");
  const rearm = samplesOf(cell, "rearmNs");
  return learn?.map((ns, n) => ns + (rearm?.[n] ?? 0)) ?? null;
}

// The ratio of each repetition: what is compared took turns, and so met the same noise.
function ratios(
  samples: readonly number[] | null,
  others: readonly number[] | null,
): readonly number[] | null {
  if (samples === null || others === null || samples.length !== others.length) return null;
  return others.includes(0) ? null : samples.map((one, n) => one / others[n]!);
}

/** What a cell counts, besides full exits. */
const CELL: Counts = [["bytesRead", "less"], ["bytesCopied", "less"], ["masks", "less"]];

function addCell(figures: Figures, cell: Foreign, bitmap: readonly number[] | null): void {
  const sorted = cell.at("sorted").flag() ? ", sorted" : "";
  const place = `cost, ${sizeOf(cell)}, ${cell.at("tracking").text()}${sorted}`;
  const totals = totalsOf(cell);
  figures.measured(place, "totalNs", totals, "less");
  figures.measured(place, "learnNs", samplesOf(cell, "learnNs"), "less");
  figures.measured(place, "rearmNs", samplesOf(cell, "rearmNs"), "less");
  figures.measured(place, "scanNs", samplesOf(cell, "scanNs"), "less");
  figures.sampled(place, cell, "fullExits", "less");
  figures.counts(place, cell, CELL);
  if (!isBitmap(cell)) figures.measured(place, "ratio", ratios(totals, bitmap), "less");
}

function addRingSize(figures: Figures, size: Foreign): void {
  const place = `ring-size, ${size.at("ringEntries").amount()} entries`;
  figures.measured(place, "storesPerSecond", samplesOf(size, "storesPerSecond"), "more");
  figures.sampled(place, size, "fullExits", "less");
  figures.measured(place, "stoppedNs", samplesOf(size, "stoppedNs"), "less");
  figures.sampled(place, size, "entries");
}

function addPattern(figures: Figures, pattern: Foreign, sequential: Foreign): void {
  const place = `pattern, ${pattern.at("pattern").text()}`;
  const name = "resetNsPerEntry";
  const times = samplesOf(pattern, name);
  figures.measured(place, name, times, "less");
  if (pattern !== sequential) {
    figures.measured(place, "ratio", ratios(times, samplesOf(sequential, name)), "less");
  }
  figures.count(place, "entries", pattern.at("entries").amount());
  figures.count(place, "batches", pattern.at("batches").amount(), "less");
  // It follows from the batches, which say whether it is worse.
  figures.counts(place, pattern, plain("pagesPerBatch"));
}

function addSorting(figures: Figures, density: Foreign): void {
  const pages = countText(density.at("dirtyPages").amount(), "page");
  for (const way of ["plain", "sorted"]) {
    const costs = density.at(way);
    const place = `sort, ${pages}, ${way}`;
    for (const name of ["harvestNsPerEntry", "sortNsPerEntry", "resetNsPerEntry"]) {
      const samples = samplesOf(costs, name);
      // The plain way does not sort.
      if (samples?.some((ns) => ns > 0)) figures.measured(place, name, samples, "less");
    }
    figures.count(place, "batches", costs.at("batches").amount(), "less");
  }
}
