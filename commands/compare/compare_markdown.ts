// The comparison as Markdown, for a pull request.
import type { Page } from "../../report/page.ts";
import { countText, oneLine } from "../../report/table.ts";
import type { CompareResult, FigureRow } from "./compare_result.ts";
import {
  changeText,
  columnNames,
  figureName,
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

/**
 * Formats a comparison as Markdown of GitHub and GitLab. What is not the same is shown; all other
 * figures can be unfolded. What came from files stands in code spans, where nothing is a mark-up.
 *
 * @returns Lines with their ends.
 */
export function* compareMarkdown(all: CompareResult, { times }: Page): Generator<string> {
  const figures = all.figures.filter(({ measured }) => times || !measured);
  const result = { ...all, figures };
  const { base, others, ok } = result;
  const names = columnNames(result);
  yield `### dirtyring compare: ${ok ? "nothing is worse" : "worse"}\n\n`;
  yield `- base: ${code(fileText(base))}\n`;
  for (const [n, other] of others.entries()) yield `- ${names[n]}: ${code(fileText(other))}\n`;
  yield "\n";
  for (const n of others.keys()) {
    yield `${names.length === 1 ? "" : `${names[n]}: `}${verdictText(result, n)}\n\n`;
  }
  yield* statementsTable(result, names);
  const { rows, counts, unjudged, lacking } = shownFigures(result);
  const isTold = (row: FigureRow) =>
    row.others.some(({ change }) => change !== "same" && change !== "too few");
  yield* figuresTable(result, rows.filter(isTold), names);
  const rest = rows.filter((row) => !isTold(row));
  if (rest.length > 0) {
    yield `<details><summary>${countText(rest.length, "figure")} without a difference that can ` +
      "be told</summary>\n\n";
    yield* figuresTable(result, rest, names);
    yield "</details>\n\n";
  }
  if (counts > 0) yield `${countText(counts, "count")}: the same.\n\n`;
  yield* lackingList(lacking);
  if (unjudged > 0) yield `${countText(unjudged, "time")} of the model: not judged.\n\n`;
}

function* lackingList(lacking: readonly FigureRow[]): Generator<string> {
  if (lacking.length === 0) return;
  yield `${countText(lacking.length, "figure")}: not in all results.\n\n`;
  const { named, more } = namedLacking(lacking);
  for (const [name, change] of named) yield `- ${code(name)}: ${change}\n`;
  if (more > 0) yield `- and ${more} more\n`;
  yield "\n";
}

function* statementsTable(
  result: CompareResult,
  names: readonly string[],
): Generator<string> {
  const { statements, statementCount, failAbove } = result;
  if (statementCount === 0) return;
  const count = countText(statementCount, "statement");
  if (statements.length === 0) return yield `${sameStatementsText(result)}.\n\n`;
  yield `${count}, all the same but ${statements.length}:\n\n`;
  const withKernel = statements.some(({ kernel }) => kernel !== null);
  const heads = [...(withKernel ? ["kernel"] : []), "statement", "base", ...names];
  yield* markdownTable(
    heads,
    heads.map(() => ":--"),
    statements.map(({ kernel, id, base, others }) => [
      ...(withKernel ? [code(kernel ?? "")] : []),
      code(id),
      stateText(base.status, base.answer),
      ...others.map(({ status, answer, change }) =>
        `${changeMark(change, failAbove)}${stateText(status, answer)}`
      ),
    ]),
  );
}

function changeMark(
  change: FigureRow["others"][number]["change"],
  failAbove: number,
): string {
  if (change === "same") return "";
  const text = changeText(change, failAbove);
  return change === "worse" ? `**${text}** ` : `${text}: `;
}

function stateText(status: string | null, answer: string | null): string {
  const words = [...(status === null ? [] : [status]), ...(answer === null ? [] : [code(answer)])];
  return words.length === 0 ? "-" : words.join(" ");
}

function* figuresTable(
  { failAbove, confidence }: CompareResult,
  rows: readonly FigureRow[],
  names: readonly string[],
): Generator<string> {
  if (rows.length === 0) return;
  const heads = [
    "figure",
    "base",
    ...names.flatMap((name) => [name, `ratio (${percentText(confidence)} interval)`, ""]),
  ];
  yield* markdownTable(
    heads,
    ["--", "--:", ...names.flatMap(() => ["--:", "--:", ":--"])],
    rows.map((row) => [
      code(figureName(row)),
      valueText(row, row.base.value),
      ...row.others.flatMap((other) => {
        const interval = intervalText(other);
        const text = changeText(other.change, failAbove, row.measured);
        return [
          valueText(row, other.value),
          `${ratioText(other.ratio)}${interval === "" ? "" : ` (${interval})`}`,
          other.change === "worse" ? `**${text}**` : text,
        ];
      }),
    ]),
  );
}

function* markdownTable(
  heads: readonly string[],
  aligns: readonly string[],
  rows: readonly (readonly string[])[],
): Generator<string> {
  for (const row of [heads, aligns, ...rows]) yield `| ${row.join(" | ")} |\n`;
  yield "\n";
}

// A code span of one line. A vertical bar would end the cell even there.
function code(text: string): string {
  const line = oneLine(text).replaceAll("`", "'").replaceAll("|", "\\|").trim();
  return line === "" ? "-" : `\`${line}\``;
}
