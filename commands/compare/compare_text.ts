// The text of a comparison, for people.
import { widthOf, wrap } from "../../report/layout.ts";
import type { Ink, Page } from "../../report/page.ts";
import { type Align, countText, oneLine, table } from "../../report/table.ts";
import type { CompareResult, FigureRow, StatementRow } from "./compare_result.ts";
import {
  changeText,
  columnNames,
  fileText,
  intervalText,
  namedLacking,
  percentText,
  ratioText,
  sameStatementsText,
  shownFigures,
  valueText,
  verdictText,
} from "./compare_words.ts";

/** The width of a line where there is no terminal. */
const WIDTH = 80;

/**
 * Formats a comparison for people.
 *
 * @returns Lines with their ends.
 */
export function* compareText(result: CompareResult, page: Page): Generator<string> {
  for (const line of linesOf(shownOf(result, page), page)) yield tinted(line, page.ink);
}

// What the page is to have of the result: without times, or what got worse alone.
function shownOf(result: CompareResult, { times, onlyFailures, quiet }: Page): CompareResult {
  const isWanted = ({ others }: StatementRow | FigureRow) =>
    !(onlyFailures || quiet) || others.some(({ change }) => change === "worse");
  return {
    ...result,
    statements: result.statements.filter(isWanted),
    figures: result.figures.filter((row) => isWanted(row) && (times || !row.measured)),
  };
}

function* linesOf(result: CompareResult, page: Page): Generator<string> {
  const width = page.columns ?? WIDTH;
  const names = columnNames(result);
  const isBrief = page.onlyFailures || page.quiet;
  if (page.header && !page.quiet) {
    yield* headLines("base", fileText(result.base), width);
    for (const [n, other] of result.others.entries()) {
      yield* headLines(names[n]!, fileText(other), width);
    }
    yield "\n";
  }
  const sections = [
    [...statementsText(result, names, width, isBrief)],
    [...figuresText(result, names, width)],
  ];
  for (const lines of sections) {
    yield* lines;
    if (lines.length > 0) yield "\n";
  }
  for (const n of result.others.keys()) {
    const name = names.length === 1 ? "" : `${names[n]}: `;
    // In a file it is one line, whatever its length: a script may take the last one.
    yield* wrapped(`${name}${verdictText(result, n)}`, page.columns ?? Infinity, "");
  }
}

// Colours the words of a verdict. A column is padded before, since colours have no width.
function tinted(line: string, ink: Ink): string {
  return line.replaceAll(/(?<=^| )WORSE\b/g, ink.bad("WORSE"))
    .replaceAll(/(?<= )better$/gm, ink.good("better"))
    .replaceAll(/(?<= )changed$/gm, ink.warn("changed"));
}

function headLines(name: string, text: string, width: number): Generator<string> {
  return wrapped(`${name.padEnd(4)}  ${text}`, width, "      ");
}

// Breaks a text between words; lines after the first are indented.
function* wrapped(text: string, columns: number, hang: string): Generator<string> {
  for (const line of wrap(text, { columns, hang })) yield `${line}\n`;
}

function* statementsText(
  result: CompareResult,
  names: readonly string[],
  width: number,
  isBrief: boolean,
): Generator<string> {
  const { statements, statementCount, failAbove } = result;
  if (statementCount === 0 || (isBrief && statements.length === 0)) return;
  const count = countText(statementCount, "statement");
  if (statements.length === 0) return yield* wrapped(sameStatementsText(result), width, "");
  yield isBrief
    ? `${count}, of which these got worse:\n`
    : `${count}: all the same but ${statements.length}\n`;
  const rows = statements.map((row) => [
    `  ${oneLine(row.id)}`,
    row.base.status ?? "-",
    ...row.others.flatMap(({ status, change }) => [
      status ?? "-",
      change === "same" ? "" : changeText(change, failAbove),
    ]),
  ]);
  const heads = ["", "base", ...names.flatMap((name) => [name, ""])];
  const lines = [...table([heads, ...rows], heads.map(() => "left" as const))];
  yield lines.shift()!;
  let kernel: string | null = null;
  for (const [n, row] of statements.entries()) {
    if (row.kernel !== kernel) yield `${oneLine(row.kernel ?? "")}\n`;
    kernel = row.kernel;
    yield lines[n]!;
    yield* answersText(row, names, width);
  }
}

// What was said of a statement, where that is not the same.
function* answersText(
  { statement, base, others }: StatementRow,
  names: readonly string[],
  width: number,
): Generator<string> {
  const indent = "      ";
  yield* wrapped(`${indent}${oneLine(statement)}`, width, indent);
  const said = [["base", base] as const, ...others.map((one, n) => [names[n]!, one] as const)];
  if (new Set(said.map(([, { answer }]) => answer)).size === 1) return;
  for (const [name, { answer }] of said) {
    if (answer === null) continue;
    yield* wrapped(`${indent}${name.padEnd(4)}  ${oneLine(answer)}`, width, `${indent}      `);
  }
}

function* figuresText(
  result: CompareResult,
  names: readonly string[],
  width: number,
): Generator<string> {
  const { rows, counts, unjudged, lacking } = shownFigures(result);
  if (result.figures.length === 0) return;
  if (rows.length > 0) {
    const cells = names.length === 1 ? singleTable(result, rows) : manyTable(result, rows, names);
    const lines = [...fitting(cells, width)];
    yield lines.shift()!;
    let place: string | null = null;
    for (const [n, row] of rows.entries()) {
      const now = row.kernel === null
        ? oneLine(row.place)
        : `${oneLine(row.kernel)}: ${oneLine(row.place)}`;
      if (now !== place) yield* wrapped(now, width, "  ");
      place = now;
      yield lines[n]!;
    }
  }
  if (counts > 0) yield `${countText(counts, "count")}: the same\n`;
  yield* lackingText(lacking, width);
  if (unjudged > 0) {
    yield* wrapped(
      `${countText(unjudged, "time")} of the model: not judged, since ${
        unjudged === 1 ? "it is" : "they are"
      } no kernel's (--format json has ${unjudged === 1 ? "it" : "them"})`,
      width,
      "",
    );
  }
}

// The figures that not all results have, by name.
function* lackingText(lacking: readonly FigureRow[], width: number): Generator<string> {
  if (lacking.length === 0) return;
  yield `${countText(lacking.length, "figure")}: not in all results\n`;
  const { named, more } = namedLacking(lacking);
  for (const [name, change] of named) {
    yield* wrapped(`  ${oneLine(name)}  ${change}`, width, "      ");
  }
  if (more > 0) yield `  and ${more} more (--format json has them)\n`;
}

interface Cells {
  readonly rows: readonly (readonly string[])[];
  readonly aligns: readonly Align[];
  /** The columns that may go where there is no room, the first to go first. */
  readonly spare: readonly number[];
}

function singleTable(
  { failAbove, confidence }: CompareResult,
  rows: readonly FigureRow[],
): Cells {
  const heads = ["figure", "base", "new", "ratio", `${percentText(confidence)} interval`, ""];
  const body = rows.map((row) => {
    const [other] = row.others;
    return [
      `  ${row.figure}`,
      valueText(row, row.base.value),
      valueText(row, other!.value),
      ratioText(other!.ratio),
      intervalText(other!),
      changeText(other!.change, failAbove, row.measured),
    ];
  });
  return {
    rows: [heads, ...body],
    aligns: ["left", "right", "right", "right", "left", "left"],
    spare: [4, 1],
  };
}

function manyTable(
  { failAbove }: CompareResult,
  rows: readonly FigureRow[],
  names: readonly string[],
): Cells {
  const heads = ["figure", "base", ...names.flatMap((name) => [name, ""])];
  const body = rows.map((row) => [
    `  ${row.figure}`,
    valueText(row, row.base.value),
    ...row.others.flatMap(({ ratio, change }) => [
      ratioText(ratio),
      changeText(change, failAbove, row.measured),
    ]),
  ]);
  const aligns = heads.map((_, n): Align => n === 0 || (n > 2 && n % 2 === 1) ? "left" : "right");
  return { rows: [heads, ...body], aligns, spare: [1] };
}

// A table without the columns that there is no room for.
function fitting({ rows, aligns, spare }: Cells, width: number): Generator<string> {
  const widths = aligns.map((_, n) => Math.max(...rows.map((row) => widthOf(row[n]!))));
  const left = new Set(widths.keys());
  const total = () => [...left].reduce((sum, n) => sum + widths[n]! + 2, -2);
  for (const n of spare) if (total() > width) left.delete(n);
  const kept = [...left];
  return table(rows.map((row) => kept.map((n) => row[n]!)), kept.map((n) => aligns[n]!));
}
