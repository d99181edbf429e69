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
