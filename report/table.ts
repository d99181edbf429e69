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
  const widths = aligns.map((_, column) =>
    rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), 0)
  );
  for (const row of rows) {
    const cells = row.map((cell, column) =>
      aligns[column] === "right" ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)
    );
    yield `${indent}${cells.join("  ")}`.trimEnd() + "\n";
  }
}
