// A result with which a command compares its own: `check --expect`, `bench --baseline`.
import { UsageError } from "../../host/errors.ts";
import { printable } from "../../text/printable.ts";
import { type Comparable, comparableOf } from "./comparable.ts";
import { compare, differingOptions } from "./compare.ts";
import type { Compared } from "./compare_result.ts";
import { compareText } from "./compare_text.ts";
import type { Context } from "../../cli/context.ts";
import { type Page, PLAIN } from "../../report/page.ts";
import { verdictText } from "./compare_words.ts";
import { Foreign } from "./foreign.ts";
import { readResult } from "./read_result.ts";

/** What the result that was just made is called. */
const THIS_RUN = "this run";

/** What a command asks of its baseline. */
export interface BaselineRequest {
  /** The option that named it, with its dashes. */
  readonly option: string;
  /** The file. */
  readonly path: string;
  /** The schema that it must have. */
  readonly schema: string;
  /** How much a figure may be worse, as a fraction. */
  readonly failAbove: number;
}

/** A result with which a command compares its own. It is read before the command does anything. */
export class Baseline {
  readonly #request: BaselineRequest;
  readonly #base: Comparable;

  /**
   * Reads it.
   *
   * @throws {UsageError} If it cannot be read, or is no result of that schema.
   * @throws {KernelError} If it cannot be read for lack of room.
   */
  constructor(request: BaselineRequest) {
    const { option, path, schema } = request;
    this.#request = request;
    this.#base = readResult(path, option);
    if (this.#base.schema !== schema) {
      throw this.#wrong(`is ${printable(this.#base.schema, 60)}; expected ${schema}`);
    }
  }

  /**
   * Refuses a baseline of other options, before anything is measured.
   *
   * @param options What must be the same, by name, as text.
   * @throws {UsageError} If an option differs.
   */
  mustHave(options: Readonly<Record<string, string>>): void {
    for (const subject of this.#base.subjects) {
      if (subject.kernel === null) continue;
      const differing = differingOptions(options, subject.options);
      if (differing !== null) throw this.#wrong(`is not comparable with this run: ${differing}`);
    }
  }

  /**
   * Refuses a baseline of another number of kernels, before any is booted.
   *
   * @throws {UsageError} If it has another number.
   */
  mustHaveKernels(count: number): void {
    const found = this.#base.subjects.length;
    if (found !== count) throw this.#wrong(`has ${found} kernels; expected ${count}`);
  }

  #wrong(what: string): UsageError {
    const { option, path } = this.#request;
    return new UsageError(`${option} ${printable(path)}: ${what}`);
  }

  /**
   * Compares a result with it.
   *
   * @param result The result; it is read as if it came from a file.
   * @returns The result, with the comparison.
   */
  compared<Result extends object>(
    result: Result,
    { ids, times = false }: ComparedRun,
  ): Compared<Result> {
    const made = comparableOf(THIS_RUN, new Foreign(THIS_RUN, result));
    const base = ids === undefined ? this.#base : only(this.#base, ids);
    const shown = times ? made : withoutModelTimes(made);
    return { ...result, comparison: compare(base, [shown], this.#request.failAbove) };
  }
}

/** What of a result is compared. */
export interface ComparedRun {
  /** The statements that were asked for; all unless given. */
  readonly ids?: ReadonlySet<string>;
  /** Whether times of the model are wanted, too. */
  readonly times?: boolean;
}

function withoutModelTimes(result: Comparable): Comparable {
  const subjects = result.subjects.map((subject) => ({
    ...subject,
    figures: subject.figures.filter(({ measured }) =>
      !measured || subject.kernel?.backend !== "model"
    ),
  }));
  return { ...result, subjects };
}

function only(base: Comparable, ids: ReadonlySet<string>): Comparable {
  const subjects = base.subjects.map((subject) => ({
    ...subject,
    statements: subject.statements.filter(({ id }) => id === "report" || ids.has(id)),
  }));
  return { ...base, subjects };
}

/**
 * Formats the comparison behind a result for people.
 *
 * @returns Lines with their ends; none if nothing was compared.
 */
export function* comparisonText(
  { comparison }: Compared<object>,
  page: Page,
): Generator<string> {
  if (comparison === undefined) return;
  yield "\n";
  yield* compareText(comparison, page);
}

/**
 * Formats the comparison as comments, for formats of lines in which `#` begins one.
 *
 * @returns Lines with their ends; none if nothing was compared.
 */
export function* comparisonComments(
  { comparison }: Compared<object>,
  page: Page,
): Generator<string> {
  if (comparison === undefined) return;
  const plain = { ...page, ink: PLAIN, columns: null };
  for (const line of compareText(comparison, plain)) yield `${`# ${line}`.trimEnd()}\n`;
}

/** Formats that have no place for a comparison. */
const WITHOUT: ReadonlySet<string> = new Set(["junit", "csv", "svg"]);

/** Notes the verdict where no output has a place for the comparison. */
export function noteComparison(
  { comparison }: Compared<object>,
  { outlets, note }: Pick<Context, "outlets" | "note">,
): void {
  if (comparison === undefined || !outlets.every(({ format }) => WITHOUT.has(format))) return;
  note(`compared with ${printable(comparison.base.file)}: ${verdictText(comparison, 0)}`);
}
