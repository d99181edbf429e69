import type { BenchResult } from "../sweeps/bench.ts";
import { PLAIN_STYLE } from "./bench_svg_styles.ts";
import { type Box, FONT, frame, INK, line } from "./chart_plot.ts";
import { logScale, type Scale } from "./chart_scale.ts";
import { marker } from "./chart_style.ts";
import { timeTick } from "./chart_ticks.ts";
import { element, label } from "./svg_element.ts";
import { numberText, timeText } from "./units.ts";

const LEFT = 130;
const RIGHT = 190;
const HEAD = 40;
const FOOT = 66;

/**
 * The pattern sweep: a row for each order of pages, from the cheapest on, with what a reset takes an entry.
 *
 * @param result The result.
 * @param box Where to draw.
 * @returns Elements.
 */
export function drawPatterns({ patterns }: BenchResult, box: Box): string[] {
  const plot = {
    x: box.x + LEFT,
    y: box.y + HEAD,
    width: box.width - LEFT - RIGHT,
    height: box.height - HEAD - FOOT,
  };
  const inOrder = patterns.toSorted((a, b) => a.resetNsPerEntry - b.resetNsPerEntry);
  const times = patterns.flatMap((one) => [one.q1NsPerEntry, one.q3NsPerEntry]);
  const scale = logScale(times, { start: plot.x, end: plot.x + plot.width }, {
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
      { scale, title: "KVM_RESET_DIRTY_RINGS, an entry (log scale)", tick: timeTick },
      { scale: rows, title: null, tick: null },
    ),
    label(right + 18, plot.y - 12, "pages a batch (modelled)", head),
    ...inOrder.flatMap((one, n) => {
      const y = rows.at(n);
      const at = scale.at(one.resetNsPerEntry);
      const middle = y + FONT.axis * 0.35;
      const [low, high] = [scale.at(one.q1NsPerEntry), scale.at(one.q3NsPerEntry)];
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
        label(at, y - 10, timeText(one.resetNsPerEntry), {
          "font-size": FONT.tick,
          "text-anchor": "middle",
        }),
        label(plot.x - 12, middle, one.pattern, { "font-size": FONT.axis, "text-anchor": "end" }),
        label(right + 18, middle, numberText(one.pagesPerBatch), { "font-size": FONT.axis }),
      ];
    }),
  ];
}
