import { type Box, FONT, INK } from "../../report/chart/plot.ts";
import { element, escapeXml, label, textWidth } from "../../report/chart/style.ts";
import { kernelLine } from "../../report/notes.ts";
import type { Page } from "../../report/page.ts";
import { countText } from "../../report/table.ts";
import type { BenchResult } from "./bench.ts";
import type { RingSizeGuest } from "./bench_ring_sizes.ts";
import { drawCost } from "./bench_svg_cost.ts";
import { drawPatterns, drawRingSizes, drawSort } from "./bench_svg_sweeps.ts";

/** Size of a panel, margins included: a slide of 16 to 9. */
const PANEL = { width: 1280, height: 720 } as const;
const MARGIN = 36;
const TITLE = 84;

const FONTS = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";

interface Panel {
  readonly title: string;
  /** Its title if it shows no times. */
  readonly counted: string;
  /** What was measured, in a clause. */
  readonly facts: (result: BenchResult) => string;
  readonly isThere: (result: BenchResult) => boolean;
  readonly draw: (result: BenchResult, box: Box, page: Pick<Page, "times">) => string[];
}

const PANELS: readonly Panel[] = [
  {
    title: "Learning which pages are dirty, and re-protecting them: ring against bitmap",
    counted: "Learning which pages are dirty: what a VMM reads of a ring, and of a bitmap",
    facts: ({ options: { pattern, ring } }) => `${pattern} pages, ring of ${ring} entries`,
    isThere: ({ cells }) => cells.length > 0,
    draw: drawCost,
  },
  {
    title: "Which ring size? Two vCPUs that run while they are harvested",
    counted: "How often is a ring full? Two vCPUs that run while they are harvested",
    facts: ({ ringSizeGuest, options: { pattern } }) => ringFacts(ringSizeGuest, pattern),
    isThere: ({ ringSizes }) => ringSizes.length > 0,
    draw: drawRingSizes,
  },
  {
    title: "What coalescing buys: resets of as many pages in different orders",
    counted: "Coalescing: the batches of as many pages in different orders",
    facts: ({ patterns }) => `${patterns[0]?.entries} entries of one vCPU`,
    isThere: ({ patterns }) => patterns.length > 0,
    draw: drawPatterns,
  },
  {
    title: "When to sort entries before marking them",
    counted: "What sorting entries before marking them does to the batches",
    facts: () => "random pages of one slot",
    isThere: ({ sorting }) => sorting.length > 0,
    draw: drawSort,
  },
];

/**
 * Draws the result of `dirtyring bench` as one SVG: a panel for each sweep that was made, two in a
 * row. Lines differ in dashes and markers, so they can be told apart without colours.
 *
 * @param page `times`: whether times are drawn; otherwise it is what was counted.
 * @returns Pieces of the file.
 */
export function* benchSvg(
  result: BenchResult,
  page: Pick<Page, "times">,
): Generator<string> {
  const panels = PANELS.filter((panel) => panel.isThere(result));
  const columns = panels.length > 1 ? 2 : 1;
  const rows = Math.max(1, Math.ceil(panels.length / columns));
  const width = PANEL.width * columns;
  const height = PANEL.height * rows;
  yield '<?xml version="1.0" encoding="UTF-8"?>\n';
  yield `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
    `viewBox="0 0 ${width} ${height}" font-family="${FONTS}" fill="${INK.text}">\n`;
  yield `<title>${escapeXml(`dirtyring bench: ${hostText(result)}`)}</title>\n`;
  yield `${element("rect", { width, height, fill: "#fff" })}\n`;
  if (panels.length === 0) {
    yield `${label(MARGIN, TITLE, "nothing was measured", { "font-size": FONT.title })}\n`;
  }
  for (const [n, panel] of panels.entries()) {
    const x = (n % columns) * PANEL.width + MARGIN;
    const y = Math.floor(n / columns) * PANEL.height + MARGIN;
    yield `${panelText(result, page, panel, x, y).join("\n")}\n`;
  }
  yield "</svg>\n";
}

function panelText(
  result: BenchResult,
  page: Pick<Page, "times">,
  panel: Panel,
  x: number,
  y: number,
): string[] {
  const box = {
    x,
    y: y + TITLE,
    width: PANEL.width - 2 * MARGIN,
    height: PANEL.height - 2 * MARGIN - TITLE,
  };
  const measured = page.times
    ? `medians of ${countText(result.repetitions, "repetition")} or more, quartiles`
    : "counted";
  const under = `${hostText(result)}; ${panel.facts(result)}; ${measured}`;
  // Shrink the line if it is too wide: the name of a kernel may be long.
  const size = FONT.axis * Math.min(1, box.width / textWidth(under, FONT.axis));
  return [
    label(x, y + FONT.title, page.times ? panel.title : panel.counted, {
      "font-size": FONT.title,
      "font-weight": "bold",
    }),
    label(x, y + FONT.title + 28, under, { "font-size": size, fill: INK.axis }),
    ...panel.draw(result, box, page),
  ];
}

function ringFacts(guest: RingSizeGuest | null, pattern: string): string {
  if (guest === null) return pattern;
  return `${guest.dirtyPages} ${pattern} pages, harvested every ${guest.intervalMs} ms and when full`;
}

function hostText({ kernel, options }: BenchResult): string {
  return `${kernelLine(kernel).replace(/^kernel +/, "")}; ${options.guest} guest`;
}
