import type { BenchResult } from "../sweeps/bench.ts";
import type { SortDensity } from "../sweeps/bench_sort.ts";
import { PART_STYLE, PLAIN_STYLE, SORTED_STYLE } from "./bench_svg_styles.ts";
import { paysText } from "./bench_sweeps_text.ts";
import { legend } from "./chart_legend.ts";
import {
  type Axis,
  type Box,
  drawSeries,
  FONT,
  frame,
  INK,
  line,
  verticalTitle,
} from "./chart_plot.ts";
import { logScale } from "./chart_scale.ts";
import { percentTick, timeTick } from "./chart_ticks.ts";
import { label } from "./svg_element.ts";

const LEFT = 96;
const RIGHT = 20;
const HEAD = 40;
const FOOT = 66;

const LINES = [
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
 * The sort sweep: what an entry costs plain and sorted, by dirty density.
 *
 * @param result The result.
 * @param box Where to draw.
 * @returns Elements.
 */
export function drawSort({ sorting, sortPays }: BenchResult, box: Box): string[] {
  const plot = {
    x: box.x + LEFT,
    y: box.y + HEAD,
    width: box.width - LEFT - RIGHT,
    height: box.height - HEAD - FOOT,
  };
  const { x: left, y: top, width, height } = plot;
  // A clock of whole steps may say that sorting so little took no time.
  const drawn = LINES.map((one) => ({
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
    tick: timeTick,
  };
  const parts = [
    ...legend(left, box.y + 12, LINES),
    verticalTitle(box.x + 20, plot, "harvest, sort, reset: an entry (log scale)"),
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
