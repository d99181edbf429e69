// The parts of a plot in SVG: frame, axes, lines with whiskers, legend.

import type { Scale } from "./scale.ts";
import { element, label, type LineStyle, marker, path, textWidth } from "./style.ts";

/** A rectangle in the picture. */
export interface Box {
  /** Its left edge. */
  readonly x: number;
  /** Its upper edge. */
  readonly y: number;
  /** Its width. */
  readonly width: number;
  /** Its height. */
  readonly height: number;
}

/** An axis: its scale and its texts. */
export interface Axis {
  /** Its scale. */
  readonly scale: Scale;
  /** What it shows, with the unit; `null` if a neighbouring plot says it. */
  readonly title: string | null;
  /** Formats a major tick; `null` if a neighbouring plot has the same ticks. */
  readonly tick: ((value: number) => string) | null;
}

/** A measured value with its spread. */
export interface PlotPoint {
  /** Value along the horizontal axis. */
  readonly x: number;
  /** Value along the vertical axis. */
  readonly y: number;
  /** Lower end of its whisker, if it has one. */
  readonly low?: number;
  /** Upper end of its whisker, if it has one. */
  readonly high?: number;
}

/** A line through measured values. */
export interface Series {
  /** Its style. */
  readonly style: LineStyle;
  /** Its values, from left to right. */
  readonly points: readonly PlotPoint[];
}

/** Font sizes, large enough for a slide. */
export const FONT = { title: 24, head: 18, axis: 16, tick: 15, note: 15 } as const;

/** Colours of everything except measured values. */
export const INK = { text: "#111", axis: "#333", major: "#ccc", minor: "#ececec" } as const;

const TICK = 6;
/** The least room between two labels of an axis. */
const LABEL_GAP = 6;

/**
 * Draws what lies under the lines of a plot: grid, frame, ticks and titles.
 *
 * @param box The area inside the axes.
 * @param x The horizontal axis.
 * @param y The vertical axis.
 * @returns Elements.
 */
export function frame(box: Box, x: Axis, y: Axis): string[] {
  const { x: left, y: top, width, height } = box;
  const bottom = top + height;
  const parts: string[] = [];
  let free = -Infinity;
  for (const { value, isMajor } of x.scale.ticks) {
    const at = x.scale.at(value);
    parts.push(line(at, top, at, bottom, isMajor ? INK.major : INK.minor));
    if (!isMajor || x.tick === null) continue;
    parts.push(line(at, bottom, at, bottom + TICK, INK.axis));
    const words = x.tick(value);
    // Leave out a label that would run into the one before it.
    const half = textWidth(words, FONT.tick) / 2;
    if (words === "" || at - half < free) continue;
    free = at + half + LABEL_GAP;
    const place = { "text-anchor": "middle", "font-size": FONT.tick };
    parts.push(label(at, bottom + TICK + FONT.tick, words, place));
  }
  for (const { value, isMajor } of y.scale.ticks) {
    const at = y.scale.at(value);
    parts.push(line(left, at, left + width, at, isMajor ? INK.major : INK.minor));
    if (!isMajor || y.tick === null) continue;
    parts.push(line(left - TICK, at, left, at, INK.axis));
    const place = { "text-anchor": "end", "font-size": FONT.tick };
    parts.push(label(left - TICK - 4, at + FONT.tick * 0.35, y.tick(value), place));
  }
  const look = { fill: "none", stroke: INK.axis, "stroke-width": 1.5 };
  parts.push(element("rect", { x: left, y: top, width, height, ...look }));
  if (x.title !== null) {
    const place = { "text-anchor": "middle", "font-size": FONT.axis };
    parts.push(label(left + width / 2, bottom + TICK + FONT.tick + FONT.axis + 10, x.title, place));
  }
  return parts;
}

/**
 * Draws the title of a vertical axis, rotated.
 *
 * @param x Its base line.
 * @param box The area inside the axes.
 */
export function verticalTitle(x: number, box: Box, words: string): string {
  const y = box.y + box.height / 2;
  const turned = `rotate(-90 ${Math.round(x)} ${Math.round(y)})`;
  return label(Math.round(x), Math.round(y), words, {
    "text-anchor": "middle",
    "font-size": FONT.axis,
    transform: turned,
  });
}

/**
 * Draws a line through values, with whiskers.
 *
 * @returns Elements: whiskers, then the line, then the markers on top.
 */
export function drawSeries({ style, points }: Series, x: Scale, y: Scale): string[] {
  const whiskers = points.flatMap(({ x: value, low, high }) =>
    low === undefined || high === undefined
      ? []
      : whisker(x.at(value), y.at(low), y.at(high), style)
  );
  const places = points.map((point) => [x.at(point.x), y.at(point.y)] as const);
  return [
    ...whiskers,
    element("path", {
      d: path(places),
      fill: "none",
      stroke: style.colour,
      "stroke-width": 2.5,
      "stroke-dasharray": style.dashes,
    }),
    ...places.map(([left, top]) => marker(left, top, style)),
  ];
}

function whisker(x: number, low: number, high: number, { colour }: LineStyle): string[] {
  const cap = 4;
  const look = { stroke: colour, "stroke-width": 1.2, opacity: 0.6, fill: "none" };
  const d = path([[x, low], [x, high]]) + path([[x - cap, low], [x + cap, low]]) +
    path([[x - cap, high], [x + cap, high]]);
  return [element("path", { d, ...look })];
}

/**
 * Draws a straight line.
 *
 * @param stroke Its colour.
 * @param dashes Lengths of dashes and gaps; `null` for a solid line.
 */
export function line(
  x1: number,
  y1: number,
  x2: number,
  y2: number,
  stroke: string,
  dashes: string | null = null,
): string {
  return element("line", { x1, y1, x2, y2, stroke, "stroke-width": 1, "stroke-dasharray": dashes });
}

/** A line of a plot and its name. */
export interface LegendEntry {
  /** Its name. */
  readonly name: string;
  /** Its style. */
  readonly style: LineStyle;
}

const SAMPLE = 44;
const GAP = 28;

/**
 * Draws a legend in one row.
 *
 * @param x Its left edge.
 * @param y Its vertical middle.
 * @returns Elements.
 */
export function legend(x: number, y: number, entries: readonly LegendEntry[]): string[] {
  let left = x;
  return entries.flatMap(({ name, style }) => {
    const parts = [
      element("line", {
        x1: left,
        y1: y,
        x2: left + SAMPLE,
        y2: y,
        stroke: style.colour,
        "stroke-width": 2.5,
        "stroke-dasharray": style.dashes,
      }),
      marker(left + SAMPLE / 2, y, style),
      label(left + SAMPLE + 8, y + FONT.note * 0.35, name, { "font-size": FONT.note }),
    ];
    left += SAMPLE + 8 + textWidth(name, FONT.note) + GAP;
    return parts;
  });
}
