// The pictures of the sweeps over patterns, ring sizes and sorting.

import {
  type Axis,
  type Box,
  drawSeries,
  FONT,
  frame,
  INK,
  legend,
  line,
  verticalTitle,
} from "../../report/chart/plot.ts";
import {
  groupedTick,
  linearScale,
  logScale,
  percentTick,
  powerTick,
  type Scale,
  timeTick,
} from "../../report/chart/scale.ts";
import { element, label, marker } from "../../report/chart/style.ts";
import type { Page } from "../../report/page.ts";
import { numberText, timeText } from "../../report/table.ts";
import type { BenchResult } from "./bench.ts";
import type { PatternCost, RingSizeCost } from "./bench_ring_sizes.ts";
import type { SortDensity } from "./bench_sort.ts";
import { PART_STYLE, PLAIN_STYLE, SORTED_STYLE } from "./bench_svg_cost.ts";
import { paysText } from "./bench_sweeps_text.ts";

const PATTERNS_LEFT = 130;
const PATTERNS_RIGHT = 190;
const HEAD = 40;
const FOOT = 66;

/** What a picture of the pattern sweep shows. */
interface PatternView {
  /** The title of the axis. */
  readonly title: string;
  readonly tick: (value: number) => string;
  readonly text: (value: number) => string;
  /** The value of a pattern, and its spread. */
  valueOf(
    one: PatternCost,
  ): { readonly middle: number; readonly low: number; readonly high: number };
}

const PATTERN_TIMES: PatternView = {
  title: "KVM_RESET_DIRTY_RINGS, an entry (log scale)",
  tick: timeTick,
  text: timeText,
  valueOf: ({ resetNsPerEntry, q1NsPerEntry, q3NsPerEntry }) => ({
    middle: resetNsPerEntry,
    low: q1NsPerEntry,
    high: q3NsPerEntry,
  }),
};

const PATTERN_COUNTS: PatternView = {
  title: "batches of a reset, modelled (log scale)",
  tick: powerTick,
  text: numberText,
  valueOf: ({ batches }) => ({ middle: batches, low: batches, high: batches }),
};

/**
 * Draws the pattern sweep: a row for each pattern, the cheapest first, with the time of a reset per
 * entry, or with its batches.
 *
 * @param times Whether times are drawn; otherwise it is what was counted.
 * @returns Elements.
 */
export function drawPatterns(
  { patterns }: BenchResult,
  box: Box,
  { times }: Pick<Page, "times">,
): string[] {
  const view = times ? PATTERN_TIMES : PATTERN_COUNTS;
  const plot = {
    x: box.x + PATTERNS_LEFT,
    y: box.y + HEAD,
    width: box.width - PATTERNS_LEFT - PATTERNS_RIGHT,
    height: box.height - HEAD - FOOT,
  };
  const inOrder = patterns.toSorted((a, b) => view.valueOf(a).middle - view.valueOf(b).middle);
  const values = patterns.map(view.valueOf).flatMap(({ low, high }) => [low, high]);
  const scale = logScale(values, { start: plot.x, end: plot.x + plot.width }, {
    below: 1.3,
    above: 1.6,
  });
  const step = plot.height / inOrder.length;
  const rows: Scale = {
    from: 0,
    to: inOrder.length,
    ticks: [],
    at: (row) => plot.y + step * (row + 0.5),
  };
  const right = plot.x + plot.width;
  const head = { "font-size": FONT.note, fill: INK.axis };
  return [
    ...frame(
      plot,
      { scale, title: view.title, tick: view.tick },
      { scale: rows, title: null, tick: null },
    ),
    label(right + 18, plot.y - 12, "pages a batch (modelled)", head),
    ...inOrder.flatMap((one, n) => {
      const y = rows.at(n);
      const value = view.valueOf(one);
      const at = scale.at(value.middle);
      const middle = y + FONT.axis * 0.35;
      const [low, high] = [scale.at(value.low), scale.at(value.high)];
      return [
        line(plot.x, y, right, y, INK.minor),
        element("line", {
          x1: low,
          y1: y,
          x2: high,
          y2: y,
          stroke: PLAIN_STYLE.colour,
          "stroke-width": 2,
          opacity: 0.6,
        }),
        marker(at, y, PLAIN_STYLE),
        label(at, y - 10, view.text(value.middle), {
          "font-size": FONT.tick,
          "text-anchor": "middle",
        }),
        label(plot.x - 12, middle, one.pattern, { "font-size": FONT.axis, "text-anchor": "end" }),
        label(right + 18, middle, numberText(one.pagesPerBatch), { "font-size": FONT.axis }),
      ];
    }),
  ];
}

const RINGS_LEFT = 108;
/** Where the axis begins if no ring was ever full: a millisecond. */
const SOME_NS = 1_000_000;

/**
 * Draws the ring-size sweep: stores per second, and how long full rings stopped the vCPUs; or how
 * often.
 *
 * @param times Whether times are drawn; otherwise it is what was counted.
 * @returns Elements.
 */
export function drawRingSizes(
  { ringSizes }: BenchResult,
  box: Box,
  { times }: Pick<Page, "times">,
): string[] {
  if (!times) return drawFullExits(ringSizes, box);
  const width = box.width / 2 - RINGS_LEFT - 14;
  const height = box.height - HEAD - FOOT;
  const left = { x: box.x + RINGS_LEFT, y: box.y + HEAD, width, height };
  const right = { ...left, x: box.x + box.width / 2 + RINGS_LEFT };
  const head = { "font-size": FONT.head, "font-weight": "bold", "text-anchor": "middle" };
  return [
    label(left.x + width / 2, left.y - 12, "what the guest gets done (whiskers: all runs)", head),
    verticalTitle(box.x + 22, left, "stores per second"),
    ...drawStores(ringSizes, left),
    label(right.x + width / 2, right.y - 12, "what full rings take away", head),
    verticalTitle(
      box.x + box.width / 2 + 22,
      right,
      "vCPUs stopped, for each 1000 entries (log scale)",
    ),
    ...drawStopped(
      ringSizes,
      right,
      timeTick,
      ({ stoppedNs, entries }) => stoppedNs / entries * 1000,
    ),
  ];
}

function drawFullExits(sizes: readonly RingSizeCost[], box: Box): string[] {
  const plot = {
    x: box.x + RINGS_LEFT,
    y: box.y + HEAD,
    width: box.width - RINGS_LEFT - 14,
    height: box.height - HEAD - FOOT,
  };
  return [
    verticalTitle(box.x + 22, plot, "full exits of a run (log scale)"),
    ...drawStopped(sizes, plot, groupedTick, ({ fullExits }) => fullExits),
  ];
}

function ringAxis(sizes: readonly RingSizeCost[], { x, width }: Box): Axis {
  const entries = sizes.map(({ ringEntries }) => ringEntries);
  const scale = logScale(entries, { start: x, end: x + width }, { below: 1.5, above: 1.5 }, 2);
  // Only every second power has room for its digits.
  const isLabelled = (value: number) => Math.round(Math.log2(value)) % 2 === 0;
  return {
    scale,
    title: "entries of each ring (log scale)",
    tick: (value) => isLabelled(value) ? groupedTick(value) : "",
  };
}

function drawStores(sizes: readonly RingSizeCost[], box: Box): string[] {
  const x = ringAxis(sizes, box);
  const most = Math.max(...sizes.map(({ maxStoresPerSecond }) => maxStoresPerSecond));
  const scale = linearScale(most, { start: box.y + box.height, end: box.y });
  const points = sizes.map((size) => ({
    x: size.ringEntries,
    y: size.storesPerSecond,
    low: size.minStoresPerSecond,
    high: size.maxStoresPerSecond,
  }));
  return [
    ...frame(box, x, { scale, title: null, tick: groupedTick }),
    ...drawSeries({ style: PLAIN_STYLE, points }, x.scale, scale),
  ];
}

// A logarithmic axis cannot show rings that were never full: their markers are below it, with a
// note.
function drawStopped(
  sizes: readonly RingSizeCost[],
  box: Box,
  tick: (value: number) => string,
  valueOf: (size: RingSizeCost) => number,
): string[] {
  const x = ringAxis(sizes, box);
  const shares = sizes.map((size) => ({ x: size.ringEntries, y: valueOf(size) }));
  const stopped = shares.filter(({ y }) => y > 0);
  const bottom = box.y + box.height;
  const floor = bottom - 30;
  const scale = logScale(stopped.length === 0 ? [SOME_NS] : stopped.map(({ y }) => y), {
    start: floor - 20,
    end: box.y,
  }, { below: 1.5, above: 2 });
  const style = { ...PART_STYLE, dashes: null, colour: PLAIN_STYLE.colour };
  const never = shares.filter(({ y }) => y === 0);
  const [first] = never;
  return [
    ...frame(box, x, { scale, title: null, tick }),
    ...(stopped.length === 0 ? [] : drawSeries({ style, points: stopped }, x.scale, scale)),
    ...never.map((one) => marker(x.scale.at(one.x), floor, style)),
    ...(first === undefined ? [] : [neverWords(x.scale.at(first.x), floor, box)]),
  ];
}

function neverWords(at: number, floor: number, { x, width }: Box): string {
  const isLeft = at < x + width / 2;
  return label(at + (isLeft ? 14 : -14), floor - 14, "never full", {
    "font-size": FONT.note,
    "text-anchor": isLeft ? "start" : "end",
  });
}

const SORT_LEFT = 96;
const SORT_RIGHT = 20;

const COUNTED = [
  { name: "as they come", style: PLAIN_STYLE, value: (one: SortDensity) => one.plain.batches },
  { name: "sorted", style: SORTED_STYLE, value: (one: SortDensity) => one.sorted.batches },
] as const;

const TIMED = [
  {
    name: "as they come",
    style: PLAIN_STYLE,
    value: (one: SortDensity) => one.plain.totalNsPerEntry,
  },
  {
    name: "sorted, in all",
    style: SORTED_STYLE,
    value: (one: SortDensity) => one.sorted.totalNsPerEntry,
  },
  {
    name: "of it the sorting",
    style: PART_STYLE,
    value: (one: SortDensity) => one.sorted.sortNsPerEntry,
  },
] as const;

/**
 * Draws the sort sweep: the cost of an entry plain and sorted, or the batches of a reset, by
 * density of dirty pages.
 *
 * @param times Whether times are drawn; otherwise it is what was counted.
 * @returns Elements.
 */
export function drawSort(
  { kernel, sorting, ...result }: BenchResult,
  box: Box,
  { times }: Pick<Page, "times">,
): string[] {
  const lines = times ? TIMED : COUNTED;
  const sortPays = times && kernel.backend !== "model" ? result.sortPays : null;
  const plot = {
    x: box.x + SORT_LEFT,
    y: box.y + HEAD,
    width: box.width - SORT_LEFT - SORT_RIGHT,
    height: box.height - HEAD - FOOT,
  };
  const { x: left, y: top, width, height } = plot;
  // A coarse clock may measure 0 for sorting few entries; a logarithmic axis cannot show that.
  const drawn = lines.map((one) => ({
    ...one,
    points: sorting.map((density) => ({ x: density.dirtyFraction, y: one.value(density) })).filter(
      ({ y }) => y > 0,
    ),
  }));
  const values = drawn.flatMap(({ points }) => points.map(({ y }) => y));
  const x: Axis = {
    scale: logScale(sorting.map(({ dirtyFraction }) => dirtyFraction), {
      start: left,
      end: left + width,
    }, { below: 1.3, above: 1.3 }),
    title: "dirty pages of the slot, in random order (log scale)",
    tick: percentTick,
  };
  const y: Axis = {
    scale: logScale(values, { start: top + height, end: top }, { below: 1.4, above: 2 }),
    title: null,
    tick: times ? timeTick : powerTick,
  };
  const title = times
    ? "harvest, sort, reset: an entry (log scale)"
    : "batches of a reset, modelled (log scale)";
  const parts = [
    ...legend(left, box.y + 12, lines),
    verticalTitle(box.x + 20, plot, title),
    ...frame(plot, x, y),
  ];
  if (sortPays !== null) {
    const { dirtyFraction } = sortPays;
    const at = dirtyFraction === null ? left : x.scale.at(dirtyFraction);
    const isLeft = at < left + width / 2;
    if (dirtyFraction !== null) parts.push(line(at, top, at, top + height, INK.axis, "6 4"));
    parts.push(label(at + (isLeft ? 10 : -10), top + 22, paysText(sortPays), {
      "font-size": FONT.note,
      "text-anchor": isLeft ? "start" : "end",
    }));
  }
  for (const { style, points } of drawn) {
    if (points.length > 0) parts.push(...drawSeries({ style, points }, x.scale, y.scale));
  }
  return parts;
}
