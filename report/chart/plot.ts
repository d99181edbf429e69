import type { Scale } from "./scale.ts";
import { element, label, type LineStyle, marker, path, textWidth } from "./style.ts";

/** A rectangle of the picture. */
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

/** An axis: its scale and what is written at it. */
export interface Axis {
  /** Its scale. */
  readonly scale: Scale;
  /** What it shows, with the unit; `null` where a neighbour says it. */
  readonly title: string | null;
  /** The text of a major tick; `null` where a neighbour's ticks are the same. */
  readonly tick: ((value: number) => string) | null;
}

/** A measured value with its spread. */
export interface PlotPoint {
  /** Along the horizontal axis. */
  readonly x: number;
  /** Along the vertical axis. */
  readonly y: number;
  /** Where its whisker begins, if it has one. */
  readonly low?: number;
  /** Where it ends. */
  readonly high?: number;
}

/** A line through measured values. */
export interface Series {
  /** How it looks. */
  readonly style: LineStyle;
  /** Its values, from left to right. */
  readonly points: readonly PlotPoint[];
}

/** Sizes of fonts: large enough for a slide. */
export const FONT = { title: 24, head: 18, axis: 16, tick: 15, note: 15 } as const;

/** Colours of what is not measured. */
export const INK = { text: "#111", axis: "#333", major: "#ccc", minor: "#ececec" } as const;

const TICK = 6;
/** Room between two labels of an axis. */
const LABEL_GAP = 6;

/**
 * The grid, the frame, the ticks and the titles of a plot: what its lines are drawn over.
 *
 * @param box The plot's inside.
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
    // A label that would run into the one before it is left out.
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
 * The title of a vertical axis, turned.
 *
 * @param x Its base line.
 * @param box The plot's inside.
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
 * A line through values, with whiskers.
 *
 * @param series The line.
 * @param x The horizontal scale.
 * @param y The vertical scale.
 * @returns Elements: whiskers, the line, the markers over it.
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
 * A straight line.
 *
 * @param x1 Where it begins.
 * @param y1 Where it begins.
 * @param x2 Where it ends.
 * @param y2 Where it ends.
 * @param stroke Its colour.
 * @param dashes Dashes and gaps; none unless given.
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

/** A line of a plot and what it is. */
export interface LegendEntry {
  /** What it is. */
  readonly name: string;
  /** How it looks. */
  readonly style: LineStyle;
}

const SAMPLE = 44;
const GAP = 28;

/**
 * A row that says which line is which.
 *
 * @param x Its left edge.
 * @param y Its middle.
 * @param entries The lines.
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
