// The picture of the cost sweep, and the line styles that all pictures share.

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
import { logScale, memoryTick, powerTick, timeTick } from "../../report/chart/scale.ts";
import { element, label, type LineStyle } from "../../report/chart/style.ts";
import type { Page } from "../../report/page.ts";
import { fractionText } from "../../report/table.ts";
import type { BenchResult } from "./bench.ts";
import type { CostCell } from "./bench_cost.ts";
import type { CostCrossover } from "./bench_crossing.ts";
import { rangeText } from "./bench_sweeps_text.ts";

const RING = "#0b3d91";
const BITMAP = "#9a3412";

/** The style of plain entries, in every picture. */
export const PLAIN_STYLE: LineStyle = {
  colour: RING,
  dashes: null,
  marker: "circle",
  isFilled: true,
};

/** The style of sorted entries. */
export const SORTED_STYLE: LineStyle = {
  colour: RING,
  dashes: "9 5",
  marker: "circle",
  isFilled: false,
};

/** The style of a part of a line's time, or of a further line. */
export const PART_STYLE: LineStyle = {
  colour: "#555",
  dashes: "2 4",
  marker: "triangle",
  isFilled: false,
};

/** The ways of tracking dirty pages: their names and styles. */
export const TRACKING_STYLES: readonly (
  & Pick<CostCell, "tracking" | "sorted">
  & { readonly name: string; readonly style: LineStyle }
)[] = [
  { tracking: "ring", sorted: false, name: "ring: harvest + reset", style: PLAIN_STYLE },
  { tracking: "ring", sorted: true, name: "ring, sorted before marking", style: SORTED_STYLE },
  {
    tracking: "bitmap",
    sorted: false,
    name: "bitmap: get",
    style: { colour: BITMAP, dashes: null, marker: "square", isFilled: true },
  },
  {
    tracking: "bitmap-manual",
    sorted: false,
    name: "bitmap: get + clear",
    style: { colour: BITMAP, dashes: "3 4", marker: "square", isFilled: false },
  },
];

const MOST_COLUMNS = 4;
const LEFT = 96;
const GAP = 28;
const HEAD = 72;
const FOOT = 64;
/** Room above the lines for words. */
const RATIO_MARGIN = { below: 1.6, above: 3.2 } as const;

/** What a picture of the cost sweep shows. */
interface CostView {
  /** The lines: which cells they are of, their names and styles. */
  readonly lines: typeof TRACKING_STYLES;
  /** The title of the upright axis. */
  readonly title: string;
  readonly tick: (value: number) => string;
  /** The value of a cell, and its spread. */
  valueOf(cell: CostCell): { readonly y: number; readonly low: number; readonly high: number };
}

const TIMES: CostView = {
  lines: TRACKING_STYLES,
  title: "to learn and re-protect (log scale)",
  tick: timeTick,
  valueOf: ({ medianNs, q1Ns, q3Ns }) => ({
    y: atLeast(medianNs),
    low: atLeast(q1Ns),
    high: atLeast(q3Ns),
  }),
};

// Sorted or not, a ring has the same entries; get and clear read the bitmap once.
const COUNTS: CostView = {
  lines: [
    { ...TRACKING_STYLES[0]!, name: "ring: 16 bytes for each entry" },
    { ...TRACKING_STYLES[2]!, name: "bitmap: a bit for each page of the guest" },
  ],
  title: "bytes read to learn the pages (log scale)",
  tick: powerTick,
  valueOf: ({ bytesRead }) => ({ y: bytesRead, low: bytesRead, high: bytesRead }),
};

/**
 * Draws the cost sweep: a plot for each size of memory, side by side, with the same axes.
 *
 * @param times Whether times are drawn; otherwise it is what was counted.
 * @returns Elements.
 */
export function drawCost(result: BenchResult, box: Box, { times }: Pick<Page, "times">): string[] {
  const { cells } = result;
  const view = times ? TIMES : COUNTS;
  const crossover = times && result.kernel.backend !== "model" ? result.crossover : [];
  const sizes = [...Map.groupBy(cells, ({ memoryBytes }) => memoryBytes)];
  const columns = Math.min(sizes.length, MOST_COLUMNS);
  const rows = Math.ceil(sizes.length / columns);
  const width = (box.width - LEFT - GAP * (columns - 1) - 10) / columns;
  const height = (box.height - HEAD - rows * FOOT - (rows - 1) * FONT.head * 2) / rows;
  const parts = legend(box.x + LEFT, box.y + 12, view.lines);
  sizes.forEach(([memoryBytes, inside], n) => {
    const column = n % columns;
    const row = Math.floor(n / columns);
    const plot = {
      x: box.x + LEFT + column * (width + GAP),
      y: box.y + HEAD + row * (height + FOOT + FONT.head * 2),
      width,
      height,
    };
    const from = crossover.find((one) => one.memoryBytes === memoryBytes);
    parts.push(...drawSize(view, cells, inside, from, plot, column === 0));
    if (column === 0) {
      parts.push(verticalTitle(box.x + 20, plot, view.title));
    }
  });
  return parts;
}

// A clock of whole nanoseconds may measure 0, which a logarithmic axis cannot show.
function atLeast(ns: number): number {
  return Math.max(1, ns);
}

function drawSize(
  view: CostView,
  all: readonly CostCell[],
  cells: readonly CostCell[],
  crossover: CostCrossover | undefined,
  box: Box,
  isFirst: boolean,
): string[] {
  const { x: left, y: top, width, height } = box;
  const pages = all.map(({ dirtyPages }) => dirtyPages);
  const values = all.map(view.valueOf).flatMap(({ low, high }) => [low, high]);
  const x: Axis = {
    scale: logScale(pages, { start: left, end: left + width }, {
      below: 1.5,
      above: 1.5,
      labels: 2,
    }),
    title: "dirty pages (log scale)",
    tick: powerTick,
  };
  const y: Axis = {
    scale: logScale(values, { start: top + height, end: top }, RATIO_MARGIN),
    title: null,
    tick: isFirst ? view.tick : null,
  };
  const head = { "font-size": FONT.head, "font-weight": "bold", "text-anchor": "middle" };
  const parts = [
    ...frame(box, x, y),
    label(left + width / 2, top - 10, memoryTick(cells[0]!.memoryBytes), head),
  ];
  if (crossover !== undefined) parts.push(...drawCrossover(crossover, cells[0]!, box, x));
  for (const { tracking, sorted, style } of view.lines) {
    const own = cells.filter((cell) => cell.tracking === tracking && cell.sorted === sorted);
    const points = own.map((cell) => ({ x: cell.dirtyPages, ...view.valueOf(cell) }));
    parts.push(...drawSeries({ style, points }, x.scale, y.scale));
  }
  return parts;
}

// A vertical line where the bitmap begins to win, and words above all lines that say so.
function drawCrossover(
  crossover: CostCrossover,
  { dirtyFraction: fraction, dirtyPages }: CostCell,
  { x: left, y: top, width, height }: Box,
  { scale }: Axis,
): string[] {
  const note = (words: readonly string[], at: number, anchor: string) =>
    words.map((one, n) =>
      label(at, top + 20 + n * FONT.note * 1.2, one, {
        "font-size": FONT.note,
        "text-anchor": anchor,
        fill: INK.text,
      })
    );
  const { dirtyFraction, leastFraction, mostFraction, outcome } = crossover;
  if (dirtyFraction === null) {
    const words = {
      ring: "the ring wins here",
      bitmap: "the bitmap wins here",
      unclear: "",
      crosses: "",
    };
    return note([words[outcome]], left + 10, "start");
  }
  const place = (part: number) => scale.at(part * dirtyPages / fraction);
  const at = place(dirtyFraction);
  const [from, to] = [place(leastFraction ?? dirtyFraction), place(mostFraction ?? dirtyFraction)];
  const isLeft = at < left + width / 2;
  return [
    element("rect", { x: from, y: top, width: to - from, height, fill: INK.minor, opacity: 0.5 }),
    line(at, top, at, top + height, INK.axis, "6 4"),
    ...note(
      ["bitmap wins", `from ${fractionText(dirtyFraction)}`, `(${rangeText(crossover)})`],
      at + (isLeft ? 7 : -7),
      isLeft ? "start" : "end",
    ),
  ];
}
