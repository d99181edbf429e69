import type { BenchResult } from "../sweeps/bench.ts";
import type { RingSizeCost } from "../sweeps/bench_ring_sizes.ts";
import { PART_STYLE, PLAIN_STYLE } from "./bench_svg_styles.ts";
import { type Axis, type Box, drawSeries, FONT, frame, verticalTitle } from "./chart_plot.ts";
import { linearScale, logScale } from "./chart_scale.ts";
import { groupedTick, timeTick } from "./chart_ticks.ts";
import { marker } from "./chart_style.ts";
import { label } from "./svg_element.ts";

const LEFT = 108;
const HEAD = 40;
const FOOT = 66;
/** What the axis begins with where no ring ever filled up: a millisecond. */
const SOME_NS = 1_000_000;

/**
 * The ring-size sweep: stores per second, and how long vCPUs stood still for full rings.
 *
 * @param result The result.
 * @param box Where to draw.
 * @returns Elements.
 */
export function drawRingSizes({ ringSizes }: BenchResult, box: Box): string[] {
  const width = box.width / 2 - LEFT - 14;
  const height = box.height - HEAD - FOOT;
  const left = { x: box.x + LEFT, y: box.y + HEAD, width, height };
  const right = { ...left, x: box.x + box.width / 2 + LEFT };
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
    ...drawStopped(ringSizes, right),
  ];
}

function ringAxis(sizes: readonly RingSizeCost[], { x, width }: Box): Axis {
  const entries = sizes.map(({ ringEntries }) => ringEntries);
  const scale = logScale(entries, { start: x, end: x + width }, { below: 1.5, above: 1.5 }, 2);
  // Every second power has room for its digits.
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

// Rings that never filled up have no place on a logarithmic axis: they stand below it, and say so.
function drawStopped(sizes: readonly RingSizeCost[], box: Box): string[] {
  const x = ringAxis(sizes, box);
  const shares = sizes.map((size) => ({
    x: size.ringEntries,
    y: size.stoppedNs / size.entries * 1000,
  }));
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
    ...frame(box, x, { scale, title: null, tick: timeTick }),
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
