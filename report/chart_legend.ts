import { FONT } from "./chart_plot.ts";
import { type LineStyle, marker } from "./chart_style.ts";
import { element, label, textWidth } from "./svg_element.ts";

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
