/** How a column is set: to the left or to the right. */
export type Align = "left" | "right";

/**
 * Rows of text as aligned columns, two spaces apart, without spaces at the ends of lines.
 *
 * @example
 * ```ts
 * import { table } from "./table.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const lines = [...table([["vCPU", "entries"], ["0", "256"]], ["left", "right"])];
 * assertEquals(lines, ["vCPU  entries\n", "0         256\n"]);
 * ```
 *
 * @param rows The rows, the head among them.
 * @param aligns How each column is set.
 * @param indent What every line begins with.
 * @returns Lines with their ends.
 */
export function* table(
  rows: readonly (readonly string[])[],
  aligns: readonly Align[],
  indent = "",
): Generator<string> {
  const widths = new Array<number>(aligns.length).fill(0);
  for (const row of rows) {
    for (let n = 0; n < row.length; n++) widths[n] = Math.max(widths[n]!, row[n]!.length);
  }
  for (const row of rows) {
    let line = indent;
    for (let n = 0; n < row.length; n++) {
      const cell = aligns[n] === "right"
        ? row[n]!.padStart(widths[n]!)
        : row[n]!.padEnd(widths[n]!);
      line += n === 0 ? cell : `  ${cell}`;
    }
    yield `${line.trimEnd()}\n`;
  }
}

const FULL = "█";

/**
 * A bar of blocks.
 *
 * @example
 * ```ts
 * import { bar } from "./table.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([bar(1, 2, 4), bar(0.01, 2, 4), bar(0, 2, 4)], ["██", "█", ""]);
 * ```
 *
 * @param value What it stands for, zero or more.
 * @param most What a bar of full width stands for.
 * @param width Blocks of that bar.
 * @returns The bar: one block at least, unless the value is zero.
 */
export function bar(value: number, most: number, width: number): string {
  if (value <= 0 || most <= 0) return "";
  return FULL.repeat(Math.min(width, Math.max(1, Math.round(value / most * width))));
}

/**
 * How far something is filled: a frame of cells, with a bar in it that is told apart by eighths of a cell.
 *
 * @example
 * ```ts
 * import { gauge } from "./table.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([gauge(0.5, 4), gauge(1 / 32, 4), gauge(2, 4)], ["▕██  ▏", "▕▏   ▏", "▕████▏"]);
 * ```
 *
 * @param part The part that is filled, 0 to 1; what is beyond counts as that.
 * @param cells Cells of the frame.
 * @returns The frame, with its two edges.
 */
export function gauge(part: number, cells: number): string {
  const eighths = Math.round(Math.min(Math.max(part, 0), 1) * cells * 8);
  const full = Math.floor(eighths / 8);
  const rest = eighths % 8 === 0 ? "" : " ▏▎▍▌▋▊▉"[eighths % 8]!;
  return `▕${(FULL.repeat(full) + rest).padEnd(cells)}▏`;
}
