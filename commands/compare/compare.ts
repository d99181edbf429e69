// Compares results: statements by their status and answer, figures by their medians and spread.
import { UsageError } from "../../host/errors.ts";
import { printable } from "../../text/printable.ts";
import type { Comparable, Subject } from "./comparable.ts";
import type { Figure, Statement } from "./comparable_parts.ts";
import type {
  Change,
  ChangeCounts,
  ComparedFile,
  CompareResult,
  FigureRow,
  OtherFigure,
  OtherStatement,
  StatementRow,
  StatementState,
} from "./compare_result.ts";
import { CONFIDENCE, ratioInterval, ratioOf } from "./rank_interval.ts";

/**
 * Compares results with the first of them.
 *
 * @param base The result with which the others are compared.
 * @param others At least one.
 * @param failAbove How much a figure may be worse, as a fraction: 0.1 for 10 %.
 * @throws {UsageError} If the results are not comparable: of different commands, or of different
 * labs; the error says which options differ.
 */
export function compare(
  base: Comparable,
  others: readonly Comparable[],
  failAbove: number,
): CompareResult {
  const paired = others.map((other) => pairUp(base, other));
  const statements: StatementRow[] = [];
  const figures: FigureRow[] = [];
  let statementCount = 0;
  let stillFailing = 0;
  for (const [n, subject] of base.subjects.entries()) {
    const against = paired.map((subjects) => subjects[n]!);
    const asked = isAnswered([subject, ...against]);
    const rows = statementRows(subject, against, asked);
    statementCount += rows.length;
    stillFailing += rows.filter(isStillFailing).length;
    statements.push(...worstFirst(rows));
    if (asked) figures.push(...figureRows(subject, against, failAbove));
  }
  const counts = others.map((_, n) => countChanges(statements, figures, n));
  return {
    schema: "dirtyring.compare/1",
    compared: base.schema,
    failAbove,
    confidence: CONFIDENCE,
    base: fileOf(base),
    others: others.map(fileOf),
    statementCount,
    stillFailing,
    statements,
    figures,
    counts,
    ok: counts.every(({ worse }) => worse.statements + worse.figures === 0),
  };
}

// The rows that are not the same, those first that got worse.
function worstFirst(rows: readonly StatementRow[]): StatementRow[] {
  const isWorse = ({ others }: StatementRow) => others.some(({ change }) => change === "worse");
  const told = rows.filter(({ others }) =>
    others.some(({ change }) => change !== "same" && change !== "not made")
  );
  return [...told.filter(isWorse), ...told.filter((row) => !isWorse(row))];
}

function fileOf({ file, subjects }: Comparable): ComparedFile {
  const partial = subjects.map(({ label, partial }) => ({ label, partial }))
    .filter(({ partial }) => partial !== null)
    .map(({ label, partial }) => label === null ? partial! : `${label}: ${partial}`);
  return {
    file,
    kernels: subjects.map(({ label, kernel }) => ({ label, kernel })),
    partial: partial.length === 0 ? null : partial.join("; "),
  };
}

/**
 * Finds the kernels of another result that belong to those of the base: those of the same label, and
 * the rest in their order.
 *
 * @throws {UsageError} If the two are not comparable.
 */
function pairUp(base: Comparable, other: Comparable): readonly Subject[] {
  const refuse = (why: string) =>
    new UsageError(
      `${printable(other.file)}: not comparable with ${printable(base.file)}: ${why}`,
    );
  if (base.schema !== other.schema) {
    throw refuse(`it is a ${printable(other.schema, 60)}, not a ${printable(base.schema, 60)}`);
  }
  if (base.subjects.length !== other.subjects.length) {
    throw refuse(`it has ${other.subjects.length} kernels, not ${base.subjects.length}`);
  }
  const rest = new Set(other.subjects);
  const same = base.subjects.map(({ label }) => {
    const found = [...rest].find((one) => one.label === label) ?? null;
    if (found !== null) rest.delete(found);
    return found;
  });
  const left = [...rest].values();
  const pairs = same.map((found) => found ?? left.next().value!); // as many as there are
  for (const [n, subject] of base.subjects.entries()) {
    const pair = pairs[n]!;
    if (!isAnswered([subject, pair])) continue;
    const differing = differingOptions(subject.options, pair.options);
    if (differing !== null) throw refuse(differing);
    if (!MAY_BE_PARTIAL.has(base.schema)) {
      const [part, file] = [pair.partial ?? subject.partial, pair.partial === null ? base : other];
      if (part !== null) throw refuse(`${printable(file.file)} is not whole: ${printable(part)}`);
    }
  }
  return pairs;
}

/** Results of which a part is as good as the whole, as far as it goes. */
const MAY_BE_PARTIAL: ReadonlySet<string> = new Set([
  ...["dirtyring.check/1", "dirtyring.check-kernels/1"],
  ...["dirtyring.bench/1", "dirtyring.bench-kernels/1"],
]);

/**
 * Says which options differ.
 *
 * @param base The options of the base, by name, as text.
 * @param other Those of another result.
 * @returns A clause; `null` if none differs.
 */
export function differingOptions(
  base: Readonly<Record<string, string>>,
  other: Readonly<Record<string, string>>,
): string | null {
  const differing = Object.keys(base).filter((name) => base[name] !== other[name]);
  if (differing.length === 0) return null;
  return differing.map((name) => `${name} is ${other[name]}, not ${base[name]}`).join("; ");
}

// A kernel that gave no report has none of the statements and figures of one that did.
function isAnswered(subjects: readonly Subject[]): boolean {
  return subjects.every(({ kernel, label }) => kernel !== null || label === null);
}

function statementRows(
  base: Subject,
  others: readonly Subject[],
  isWhole: boolean,
): StatementRow[] {
  const wanted = ({ id }: Statement) => isWhole || id === "report";
  const sides = [base, ...others].map(({ statements }) =>
    new Map(statements.filter(wanted).map((one) => [one.id, one]))
  );
  const ids = new Set(sides.flatMap((side) => [...side.keys()]));
  const version = versionOf(base);
  return [...ids].map((id): StatementRow => {
    const [first, ...rest] = sides.map((side) => side.get(id) ?? null);
    const known = first ?? rest.find((one) => one !== null)!;
    return {
      kernel: base.label,
      id,
      statement: known!.statement,
      base: stateOf(first ?? null),
      others: rest.map((one, n): OtherStatement => ({
        ...stateOf(one),
        change: changeOf(first ?? null, one, {
          isSameVersion: version === versionOf(others[n]!),
          isPartial: others[n]!.partial !== null,
        }),
      })),
    };
  });
}

// The version of a kernel, such as 6.12. Some statements do not apply to another one.
function versionOf({ kernel }: Subject): string | null {
  return /^\d+\.\d+/.exec(kernel?.release ?? "")?.[0] ?? null;
}

function stateOf(statement: Statement | null): StatementState {
  return { status: statement?.status ?? null, answer: statement?.answer ?? null };
}

const FAILING: ReadonlySet<string | null> = new Set(["fail", "timeout"]);

function isStillFailing({ base, others }: StatementRow): boolean {
  return FAILING.has(base.status) && others.every(({ change }) => change === "same");
}

/** How bad a status is; a skip says nothing, and is beside the others. */
function badness(status: string | null): number {
  return FAILING.has(status) ? 2 : status === "known" ? 1 : 0;
}

/**
 * How a statement changed. It got worse where it fails, or where a known defect shows, that did not
 * before. It also did where it was shown and no longer can be, unless an option is missing, or the
 * kernel is of another version.
 */
function changeOf(
  before: Statement | null,
  after: Statement | null,
  { isSameVersion, isPartial }: { readonly isSameVersion: boolean; readonly isPartial: boolean },
): Change {
  if (before === null) return after === null ? "same" : isBad(after) ? "worse" : "new";
  if (after === null) return isPartial ? "not made" : "gone";
  if (before.status === after.status) return alike(before, after) ? "same" : "changed";
  if (badness(after.status) > badness(before.status)) return "worse";
  if (after.status === "skip") {
    const isLost = before.status === "pass" && !after.withheld && isSameVersion;
    return isLost ? "worse" : "changed";
  }
  return badness(after.status) < badness(before.status) ? "better" : "changed";
}

function isBad({ status }: Statement): boolean {
  return badness(status) > 0;
}

// What a check remarks holds numbers that are different each time: how often something was tried.
function alike(before: Statement, after: Statement): boolean {
  const words = ({ status, answer }: Statement) =>
    status === null ? answer : answer?.replaceAll(/\d+/g, "0") ?? null;
  return words(before) === words(after);
}

function figureRows(
  base: Subject,
  others: readonly Subject[],
  failAbove: number,
): FigureRow[] {
  const keyOf = ({ place, name }: Figure) => `${place}\n${name}`;
  const sides = [base, ...others].map(({ figures }) =>
    new Map(figures.map((one) => [keyOf(one), one]))
  );
  const keys = new Set(sides.flatMap((side) => [...side.keys()]));
  // Figures of a place stay together, even if only a later result has some of them.
  const known = [...keys].map((key) => sides.find((side) => side.has(key))!.get(key)!);
  const grouped = [...Map.groupBy(known, ({ place }) => place).values()].flat();
  // A model's times are written only where they were asked for: that one result lacks them is none
  // of its properties.
  const isModel = [base, ...others].some(({ kernel }) => kernel?.backend === "model");
  const isShown = (figure: Figure) =>
    !figure.measured || !isModel || sides.every((side) => side.has(keyOf(figure)));
  return grouped.filter(isShown).map((figure): FigureRow => {
    const [first, ...rest] = sides.map((side) => side.get(keyOf(figure)) ?? null);
    return {
      kernel: base.label,
      place: figure.place,
      figure: figure.name,
      better: figure.better,
      measured: figure.measured,
      base: valueOf(first ?? null),
      others: rest.map((one, n): OtherFigure => ({
        ...valueOf(one),
        ...verdictOf(first ?? null, one, [base, others[n]!], failAbove),
      })),
    };
  });
}

function valueOf(figure: Figure | null) {
  if (figure === null) return { value: null, repetitions: null };
  return { value: figure.value, repetitions: figure.measured ? figure.samples.length : null };
}

type Verdict = Pick<OtherFigure, "ratio" | "low" | "high" | "change">;

const NO_RATIO = { ratio: null, low: null, high: null };

/**
 * How a figure changed. A count is the same or not. A time, or a rate, differs where the interval of
 * the ratio leaves out 1; it got worse where, besides, its median did by more than the threshold.
 */
function verdictOf(
  before: Figure | null,
  after: Figure | null,
  subjects: readonly Subject[],
  failAbove: number,
): Verdict {
  if (before === null || after === null) {
    const gone = subjects[1]!.partial === null ? "gone" : "not made";
    return { ...NO_RATIO, change: after !== null ? "new" : before !== null ? gone : "same" };
  }
  const ratio = ratioOf(before.value, after.value);
  const found = { ...NO_RATIO, ratio: finite(ratio) };
  if (!before.measured && !after.measured) {
    return { ...found, change: ratio === 1 ? "same" : beyond(before, ratio, failAbove) };
  }
  // What never varied and is the same needs no test.
  const isConstant = new Set([...before.samples, ...after.samples]).size === 1;
  if (isConstant) return { ...found, change: "same" };
  // The model's times are those of this program.
  if (subjects.some(({ kernel }) => kernel?.backend === "model")) {
    return { ...found, change: "not judged" };
  }
  const interval = ratioInterval(before.samples, after.samples);
  if (interval === null) return { ...found, change: "too few" };
  const { low, high } = interval;
  const limits = { ...found, low: finite(low), high: finite(high) };
  if (low <= 1 && high >= 1) return { ...limits, change: "same" };
  const change = beyond(before, ratio, failAbove);
  // Medians and ranks may disagree about the direction.
  return { ...limits, change: low > 1 === ratio > 1 ? change : "within" };
}

function beyond({ better }: Figure, ratio: number, failAbove: number): Change {
  if (better === null) return "changed";
  if (ratio <= 1 + failAbove && ratio >= 1 - failAbove) return "within";
  return (ratio > 1) === (better === "more") ? "better" : "worse";
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

const CHANGES: readonly Change[] = [
  ...["same", "within", "changed", "better", "worse"] as const,
  ...["new", "gone", "not made", "too few", "not judged"] as const,
];

function countChanges(
  statements: readonly StatementRow[],
  figures: readonly FigureRow[],
  n: number,
): ChangeCounts {
  const count = (rows: readonly (StatementRow | FigureRow)[], change: Change) =>
    rows.filter(({ others }) => others[n]!.change === change).length;
  return Object.fromEntries(CHANGES.map((change) => [change, {
    statements: count(statements, change),
    figures: count(figures, change),
  }])) as ChangeCounts; // its keys are those of CHANGES
}
