import type { Page } from "../../report/page.ts";
import { bar, countText, fractionText, numberText, table, timeText } from "../../report/table.ts";
import { printable } from "../../text/printable.ts";
import type { CostCrossover } from "./bench_crossing.ts";
import type { PatternCost, RingSizeCost, RingSizeGuest } from "./bench_ring_sizes.ts";
import type { SortDensity, SortPays } from "./bench_sort.ts";

const BAR_WIDTH = 24;

/**
 * Formats the ring-size sweep for people.
 *
 * @param guest The guest that ran.
 * @param page Where it is written.
 * @returns Lines with their ends; the first line is blank.
 */
export function* ringSizesText(
  sizes: readonly RingSizeCost[],
  { vcpus, stores, dirtyPages, intervalMs }: RingSizeGuest,
  page: Page,
): Generator<string> {
  yield `\n${page.ink.bold("ring-size:")} ${
    countText(vcpus, "vCPU")
  } that run while they are harvested, every ${intervalMs} ms ` +
    `and when a ring is full;\n  ${countText(stores, "store")} to ${
      countText(dirtyPages, "page")
    }, ` +
    `medians of ${countText(sizes[0]?.repetitions ?? 0, "run")}\n`;
  const most = Math.max(...sizes.map(({ storesPerSecond }) => storesPerSecond));
  yield* table(
    [
      ["ring", "entries", "full exits", "stopped", "for each", "stores/s", "min", "max", ""],
      ...sizes.map((size) => [
        `${size.ringEntries}`,
        rounded(size.entries),
        rounded(size.fullExits),
        size.fullExits === 0 ? "-" : timeText(size.stoppedNs),
        size.fullExits === 0 ? "-" : timeText(size.stoppedNs / size.fullExits),
        rounded(size.storesPerSecond),
        rounded(size.minStoresPerSecond),
        rounded(size.maxStoresPerSecond),
        bar(size.storesPerSecond, most, BAR_WIDTH),
      ]),
    ],
    [...new Array(8).fill("right"), "bar"],
    "  ",
    { page, heads: 1 },
  );
}

function rounded(value: number): string {
  return value.toFixed(0);
}

/**
 * Formats the pattern sweep for people.
 *
 * @param isCompared Whether it is said how much longer a reset takes than with the first pattern.
 * @param page Where it is written.
 * @returns Lines with their ends; the first line is blank.
 */
export function* patternsText(
  patterns: readonly PatternCost[],
  isCompared: boolean,
  page: Page,
): Generator<string> {
  const [first] = patterns;
  yield `\n${
    page.ink.bold("pattern:")
  } KVM_RESET_DIRTY_RINGS on ${first?.entries} entries in different orders, ` +
    `medians of ${countText(first?.repetitions ?? 0, "round")}; batches are modelled\n`;
  const most = Math.max(...patterns.map(({ resetNsPerEntry }) => resetNsPerEntry));
  yield* table(
    [
      [
        "pattern",
        "batches",
        "pages a batch",
        "an entry",
        "min",
        "max",
        ...(isCompared ? [`/ ${printable(first?.pattern ?? "")}`] : []),
        "",
      ],
      ...patterns.map((one) => [
        printable(one.pattern),
        `${one.batches}`,
        numberText(one.pagesPerBatch),
        timeText(one.resetNsPerEntry),
        timeText(one.minNsPerEntry),
        timeText(one.maxNsPerEntry),
        ...(isCompared ? [numberText(one.ratio)] : []),
        bar(one.resetNsPerEntry, most, BAR_WIDTH),
      ]),
    ],
    ["left", ...new Array(isCompared ? 6 : 5).fill("right"), "bar"],
    "  ",
    { page, heads: 1 },
  );
}

/**
 * Formats the sort sweep for people.
 *
 * @param pays The density from which sorting pays.
 * @param isCompared Whether it is said what sorting saves, and from where on it pays.
 * @param page Where it is written.
 * @returns Lines with their ends; the first line is blank.
 */
export function* densityText(
  densities: readonly SortDensity[],
  pays: SortPays | null,
  isCompared: boolean,
  page: Page,
): Generator<string> {
  const least = Math.min(...densities.map(({ repetitions }) => repetitions));
  yield `\n${
    page.ink.bold("sort:")
  } random pages of a slot, plain and sorted in the ring before marking; ns an entry, medians ` +
    `of ${countText(least, "round")} or more\n`;
  const ns = (value: number) => value.toFixed(1);
  const most = Math.max(...densities.map(({ ratio }) => ratio));
  yield* table(
    [
      ["", "", "plain", "", "", "sorted", "", "", "", ...(isCompared ? ["plain", ""] : [])],
      [
        "dirty",
        "pages",
        "harvest",
        "reset",
        "total",
        "harvest",
        "sort",
        "reset",
        "total",
        ...(isCompared ? ["/ sorted", ""] : []),
      ],
      ...densities.map(({ dirtyFraction, dirtyPages, plain, sorted, ratio }) => [
        fractionText(dirtyFraction),
        `${dirtyPages}`,
        ns(plain.harvestNsPerEntry),
        ns(plain.resetNsPerEntry),
        ns(plain.totalNsPerEntry),
        ns(sorted.harvestNsPerEntry),
        ns(sorted.sortNsPerEntry),
        ns(sorted.resetNsPerEntry),
        ns(sorted.totalNsPerEntry),
        ...(isCompared
          ? [numberText(Number(ratio.toPrecision(3))), bar(ratio, most, BAR_WIDTH)]
          : []),
      ]),
    ],
    [...new Array(10).fill("right"), "bar"],
    "  ",
    { page, heads: 2 },
  );
  if (pays !== null && isCompared) yield `  ${paysText(pays)}\n`;
}

/**
 * Says from which density sorting pays.
 *
 * @returns A sentence without its end.
 */
export function paysText({ dirtyFraction, outcome }: SortPays): string {
  if (dirtyFraction !== null) {
    return `sorting pays from ${fractionText(dirtyFraction)} of a slot on`;
  }
  if (outcome === "unclear") return "where sorting begins to pay is not clear";
  return outcome === "never"
    ? "sorting does not pay in this range"
    : "sorting pays in all of this range";
}

/**
 * The range in which a crossover may lie. It is rounded as the crossover itself is, which so stays
 * inside as printed.
 *
 * @returns Such as `0.13 to 0.45 %`.
 */
export function rangeText(
  { leastFraction, mostFraction }: Pick<CostCrossover, "leastFraction" | "mostFraction">,
): string {
  const [least, most] = [fractionText(leastFraction ?? 0), fractionText(mostFraction ?? 0)];
  return `${least.replace(/ %$/, "")} to ${most}`;
}
