// What a command is: its declaration, and how it runs.
import { EXIT } from "../host/errors.ts";
import type { InterruptSignal } from "../host/interrupt.ts";
import type { Loss } from "../report/again.ts";
import type { Page } from "../report/page.ts";
import type { Context, Outlet } from "./context.ts";
import type { OperandTable, OptionTable, Values } from "./option.ts";
import { type Outcome, Outlets } from "./outlets.ts";

/** Formats a result as lines, for a page. */
export type Formatter<Result, Options> = (
  result: Result,
  options: Options,
  page: Page,
) => Iterable<string>;

/** Loads the formatter of a result once the result exists. */
export type LateFormatter<Result, Options> = (
  result: Result,
) => Promise<Formatter<Result, Options>>;

/** The declaration of a command. Parsing, help, completion and the manual are derived from it. */
export interface Declaration<
  Table extends OptionTable,
  Result,
  Operands extends OperandTable = Record<never, never>,
> {
  /** Its name. */
  readonly name: string;
  /** What it does, in one line. */
  readonly summary: string;
  /** What a user should know beyond the summary. */
  readonly details: string;
  /** Its operands, if it takes any; required ones come first. */
  readonly operands?: Operands;
  /** Its options. */
  readonly options: Table;
  /** The options that are used most, in the order in which help begins with them. */
  readonly often?: readonly (keyof Table & string)[];
  /** Command lines that work as printed, each with a description of what it shows. */
  readonly examples: readonly (readonly [string, string])[];
  /**
   * The formats of its result, each with a loader; the options `format` and `output` choose among
   * them.
   */
  readonly formats: Readonly<Record<string, LateFormatter<Result, Values<Table & Operands>>>>;
  /**
   * Whether it uses the machines of `--kernel` itself. Otherwise the whole command runs in one
   * machine, and its output is printed here.
   */
  asksMachines?(options: Values<Table & Operands>, machines: number): boolean;
  /** Runs the command. */
  run(options: Values<Table & Operands>, context: Context): Promise<Result>;
  /** The exit status for a result. */
  status(result: Result, options: Values<Table & Operands>): number;
}

/** A command with erased types: its declaration fixes the types of its values. */
export interface Command extends
  Pick<
    Declaration<OptionTable, unknown>,
    "name" | "summary" | "details" | "options" | "examples"
  > {
  /** Its operands in their order; most commands have none. */
  readonly operands: OperandTable;
  /** The names of the options that are used most. */
  readonly often: readonly string[];
  /** The names of the formats of its result. */
  readonly formats: readonly string[];
  /** As in its declaration. The values must have been parsed by its own options and operands. */
  asksMachines(values: Readonly<Record<string, unknown>>, machines: number): boolean;
  /**
   * Runs the command.
   *
   * @param values A value for each of its options and operands, parsed by them.
   */
  execute(values: Readonly<Record<string, unknown>>, context: Context): Promise<Outcome>;
}

/** The existing commands. */
export interface Registry {
  /** Their names, in the order in which help lists them. */
  readonly names: readonly string[];
  /**
   * Loads a command.
   *
   * @throws {UsageError} If there is no such command; the error names the nearest one.
   */
  load(name: string): Promise<Command>;
  /** By name: the error texts for options that a command no longer has. */
  movedFrom(name: string): Readonly<Record<string, string>>;
}

/** Makes a command from its declaration. */
export function defineCommand<
  Table extends OptionTable,
  Result,
  Operands extends OperandTable = Record<never, never>,
>(declaration: Declaration<Table, Result, Operands>): Command {
  const { name, summary, details, operands = {}, options, often = [], examples } = declaration;
  return {
    name,
    summary,
    details,
    operands,
    options,
    often,
    formats: Object.keys(declaration.formats),
    examples,
    // The cast holds as in `execute`.
    asksMachines: (values, machines) =>
      declaration.asksMachines?.(values as Values<Table & Operands>, machines) ?? false,
    async execute(values, context) {
      // parse.ts filled `values` from `options` and `operands`, with the parsed value or the
      // fallback of each.
      const typed = values as Values<Table & Operands>;
      const outlets = await Outlets.open(values, Object.keys(declaration.formats), name, context);
      const result = await declaration.run(typed, outlets.context);
      const status = declaration.status(result, typed);
      const provenance = outlets.holdsJson ? await context.provenance() : null;
      const texts = new Map<Outlet, Iterable<string>>();
      for (const outlet of outlets.list) {
        const load = declaration.formats[outlet.format];
        if (load === undefined) throw new TypeError(`${name} has no format ${outlet.format}`);
        const format = await load(result);
        const page = outlets.pageOf(outlet, provenance);
        const text = format(result, typed, page);
        texts.set(outlet, outlet.format === "text" ? await followed(text, result, page) : text);
      }
      return await outlets.write(texts, status);
    },
  };
}

// Results of all kinds have their lost pages in the same field. What shows them again is loaded late:
// few runs lose any.
async function followed(
  text: Iterable<string>,
  result: unknown,
  page: Page,
): Promise<Iterable<string>> {
  if (typeof result !== "object" || result === null || !("lost" in result)) return text;
  const loss = result as Loss; // no result has another `lost`
  if (loss.lost.count === 0) return text;
  const { lostAgainText } = await import("../report/again.ts");
  return (function* () {
    yield* text;
    yield* lostAgainText(loss, page);
  })();
}

/**
 * Wraps a formatter whose module is already loaded.
 *
 * @returns A loader for it.
 */
export function now<Result, Options>(
  format: Formatter<Result, Options>,
): LateFormatter<Result, Options> {
  return () => Promise.resolve(format);
}

/** Formats a result as one line of JSON. Its parts may have been printed before, one per line. */
export const ndjson: () => Promise<Formatter<unknown, unknown>> = ndjsonOf([]);

/**
 * The formatter {@linkcode ndjson} for a result with times by the clock of the run.
 *
 * @param clocked The names of the fields that hold them.
 */
export function ndjsonOf(clocked: readonly string[]): () => Promise<Formatter<unknown, unknown>> {
  return async () => {
    const { recorded } = await import("../report/record.ts");
    return (result, _, page) => [`${JSON.stringify(recorded(result, page, clocked))}\n`];
  };
}

/** Formats a result as JSON, which every command offers. The module is loaded on demand. */
export const json: () => Promise<Formatter<unknown, unknown>> = jsonOf([]);

/**
 * The formatter {@linkcode json} for a result with times by the clock of the run.
 *
 * @param clocked The names of the fields that hold them.
 */
export function jsonOf(clocked: readonly string[]): () => Promise<Formatter<unknown, unknown>> {
  return async () => {
    const { jsonText } = await import("../report/json.ts");
    const { recorded } = await import("../report/record.ts");
    return (result, _, page) => jsonText(recorded(result, page, clocked));
  };
}

/**
 * The exit status of a command whose checks all held, even if it was interrupted.
 *
 * @param signal The signal that ended it early, or `null`.
 * @returns 129, 130 or 143 after an interrupt, otherwise 0.
 */
export function interruptStatus(signal: InterruptSignal | null): number {
  return signal === null ? EXIT.OK : EXIT[signal];
}

/**
 * The exit status of a command line: one rule for all commands. Where the reader of standard output
 * went away before all was printed, it is 141, unless there is something worse to tell.
 *
 * @param isRead Whether all was printed.
 * @param status The status of what was done.
 */
export function readStatus(isRead: boolean, status: number): number {
  return isRead || status !== EXIT.OK ? status : EXIT.CLOSED_PIPE;
}
