// Words that the texts of a comparison share.
import { kernelLine } from "../../report/notes.ts";
import { countText, numberText, oneLine, timeText } from "../../report/table.ts";
import { printable } from "../../text/printable.ts";
import type {
  Change,
  ChangeCount,
  ComparedFile,
  CompareResult,
  FigureRow,
} from "./compare_result.ts";

/**
 * How something compares, in words.
 *
 * @param failAbove The threshold, as a fraction.
 * @param measured Whether it has a spread.
 */
export function changeText(change: Change, failAbove: number, measured = false): string {
  switch (change) {
    case "same":
      return measured ? "in the spread" : change;
    case "worse":
      return "WORSE";
    case "within":
      return `within ${percentText(failAbove)}`;
    case "too few":
      return "too few to tell";
    default:
      return change;
  }
}

/** A fraction in percent: `10 %`, `2.5 %`. */
export function percentText(fraction: number): string {
  return `${Number((fraction * 100).toPrecision(6))} %`;
}

/** Whether the name of a figure is that of a time. */
const TIME = /Ns\b|NsPerEntry$/;

/** The value of a figure, with its unit if it is a time. */
export function valueText({ figure }: FigureRow, value: number | null): string {
  if (value === null) return "-";
  if (TIME.test(figure)) return timeText(value);
  return numberText(Number.isInteger(value) ? value : Number(value.toPrecision(4)));
}

/** A ratio with two decimal places, more where it is close to 1. */
export function ratioText(ratio: number | null): string {
  if (ratio === null) return "-";
  return ratio >= 99.5 ? ratio.toFixed(0) : ratio >= 9.95 ? ratio.toFixed(1) : ratio.toFixed(2);
}

/** The interval of a ratio; empty if there is none. */
export function intervalText(
  { low, high, change }: FigureRow["others"][number],
): string {
  if (low === null && high === null) return "";
  if (change === "too few" || change === "not judged") return "";
  return `${ratioText(low)} to ${high === null ? "any" : ratioText(high)}`;
}

/** A compared result, and which kernels it is of. */
export function fileText({ file, kernels, partial }: ComparedFile): string {
  const names = kernels.map(({ label, kernel }) => {
    const facts = kernel === null ? "no report" : kernelLine(kernel).replace(/^kernel +/, "");
    return label === null ? facts : `${oneLine(label)} (${facts})`;
  });
  const whole = partial === null ? "" : `; not whole: ${oneLine(partial)}`;
  return `${printable(file)}${names.length === 0 ? "" : `: ${names.join(", ")}`}${whole}`;
}

/** What an unreadable kernel's part is called. */
export function countedText({ statements, figures }: ChangeCount): string {
  const parts = [
    ...(statements === 0 ? [] : [countText(statements, "statement")]),
    ...(figures === 0 ? [] : [countText(figures, "figure")]),
  ];
  return parts.length === 0 ? "nothing" : parts.join(" and ");
}

/**
 * The verdict over one of the results.
 *
 * @param n Its number among the others.
 * @returns Two clauses: what is worse, and what else there is.
 */
export function verdictText(
  { counts, failAbove, figures }: CompareResult,
  n: number,
): string {
  const { worse, better, within, changed, new: added, gone } = counts[n]!;
  const threshold = `figures by more than ${percentText(failAbove)}`;
  const isWorse = worse.statements + worse.figures > 0;
  const rest = [
    ["better", better],
    ["a difference that is allowed", within],
    ["changed", changed],
    ["new", added],
    ["gone", gone],
  ] as const;
  const others = rest.filter(([, { statements, figures }]) => statements + figures > 0)
    .map(([word, count]) => `${word}: ${countedText(count)}`);
  const first = isWorse ? `WORSE: ${countedText(worse)}` : "nothing is worse";
  const isAbout = isWorse ? worse.figures > 0 : figures.length > 0;
  const limit = isAbout ? ` (${threshold})` : "";
  return [`${first}${limit}`, ...others].join("; ");
}

/** The names of the columns of the others: `new`, or numbers if there are several. */
export function columnNames({ others }: CompareResult): string[] {
  return others.length === 1 ? ["new"] : others.map((_, n) => `[${n + 1}]`);
}

/** The figures that a text shows, and how many it does not. */
export interface ShownFigures {
  /** Those that it shows. */
  readonly rows: readonly FigureRow[];
  /** Counts that are the same. */
  readonly counts: number;
  /** Times of the model. */
  readonly unjudged: number;
  /** Figures that not all results have. */
  readonly lacking: readonly FigureRow[];
}

/** The most figures that are named where not all results have them. */
const NAMED = 10;

/**
 * Names the figures that not all results have.
 *
 * @returns The first of them, each with how it compares; and how many more there are.
 */
export function namedLacking(
  lacking: readonly FigureRow[],
): { readonly named: readonly (readonly [string, string])[]; readonly more: number } {
  const named = lacking.slice(0, NAMED).map((row) => {
    const changes = new Set(row.others.map(({ change }) => change));
    return [figureName(row), [...changes].join(", ")] as const;
  });
  return { named, more: lacking.length - named.length };
}

/** A figure with its place, and its kernel if there are several, as files have them. */
export function figureName({ kernel, place, figure }: FigureRow): string {
  return [...(kernel === null ? [] : [kernel]), place, figure].join(": ");
}

/** Which results are compared: `both results`, or `all results`. */
function inAll({ others }: CompareResult): string {
  return others.length === 1 ? "both results" : "all results";
}

/**
 * What is said where every statement is the same in all results. Most commands make one, that all
 * that was checked holds; those of `check` and `enable` are a list that their readers know.
 */
export function sameStatementsText(result: CompareResult): string {
  const { compared, statementCount, stillFailing } = result;
  if (/^dirtyring\.(check|enable)\b/.test(compared)) {
    const failing = stillFailing === 0 ? "" : `; failed in ${inAll(result)}: ${stillFailing}`;
    return `${countText(statementCount, "statement")}: the same${failing}`;
  }
  if (compared === "dirtyring.probe/1") return `the kernel's answers: the same in ${inAll(result)}`;
  if (stillFailing > 0) return `failed in ${inAll(result)}: not all that was checked holds`;
  const facts = compared === "dirtyring.dump/1" ? ", with the same entries and exits" : "";
  return `ok: all that was checked holds in ${inAll(result)}${facts}`;
}

/** What is said of a figure that not all results have. */
const LACKING: ReadonlySet<Change> = new Set<Change>(["new", "gone", "not made"]);

/**
 * The figures that a text shows: all that were measured, and the counts that are not the same.
 *
 * @returns The rows, and how many were left out.
 */
export function shownFigures({ figures }: CompareResult): ShownFigures {
  const isSame = (row: FigureRow) => row.others.every(({ change }) => change === "same");
  const isEqual = ({ base, others }: FigureRow) =>
    others.every(({ value, low, high }) =>
      value === base.value && (low ?? 1) === 1 && (high ?? 1) === 1
    );
  const isUnjudged = (row: FigureRow) => row.others.every(({ change }) => change === "not judged");
  const isLacking = ({ others }: FigureRow) => others.every(({ change }) => LACKING.has(change));
  const lacking = figures.filter(isLacking);
  const counts = figures.filter((row) => isSame(row) && (!row.measured || isEqual(row)));
  const unjudged = figures.filter(isUnjudged);
  const leftOut = new Set([...lacking, ...counts, ...unjudged]);
  const rows = figures.filter((row) => !leftOut.has(row));
  return { rows, counts: counts.length, unjudged: unjudged.length, lacking };
}
