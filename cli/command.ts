import { KernelError } from "../ffi/errors.ts";
import type { Kernel } from "../ffi/kernel.ts";
import type { BackendSelection } from "../host/backend.ts";
import { EXIT, UsageError } from "../host/errors.ts";
import type { InterruptSignal } from "../host/interrupt.ts";
import type { MachineRequest } from "./machine_request.ts";
import type { OperandTable, OptionTable, Values } from "./option.ts";
import type { OutputFile } from "./output_file.ts";

/** What a command may use of the world. */
export interface Context {
  /** The kernel that its options ask for, traced if that was asked for. */
  openKernel(selection: BackendSelection): Promise<Kernel>;
  /** Says something on stderr: a note, a warning. */
  note(text: string): void;
  /**
   * Prints a part of the result while the rest is still in the making.
   *
   * @returns Whether somebody still reads it.
   */
  print(chunks: Iterable<string>): boolean;
  /**
   * Prints progress, and does not wait for a slow reader: what that does not read in time is left out.
   *
   * @returns Whether somebody still reads.
   */
  stream(chunks: Iterable<string>): boolean;
  /** The terminal that standard output is, with its width; `null` where it is none. */
  readonly terminal: { readonly columns: number } | null;
  /** Says a line on stderr as it is. */
  say(line: string): void;
  /** Shows on stderr, where that is a terminal, what is going on; an empty text takes it away. */
  status(text: string): void;
  /** What `--kernel` asks for: machines, and what is asked in each; `null` where this host answers. */
  readonly machines: MachineRequest | null;
  /** Tells who watches from outside which step is under way: what a machine did that then stopped. */
  announce(what: string): void;
  /** Whether every kernel call is to be shown, for a command that makes them in another process. */
  readonly trace: boolean;
}

/** A result turned into lines: one format of it. The columns are a terminal's, `null` where it goes elsewhere. */
export type Formatter<Result, Options> = (
  result: Result,
  options: Options,
  columns: number | null,
) => Iterable<string>;

/** Loads the formatter of a result when there is one. */
export type LateFormatter<Result, Options> = (
  result: Result,
) => Promise<Formatter<Result, Options>>;

/** A command: parsing, help, completion and the manual all come from this declaration. */
export interface Declaration<
  Table extends OptionTable,
  Result,
  Operands extends OperandTable = Record<never, never>,
> {
  /** Its name. */
  readonly name: string;
  /** What it does, in a line. */
  readonly summary: string;
  /** What a person should know beyond that. */
  readonly details: string;
  /** What it takes beside its options, where it takes any: what must be given stands first. */
  readonly operands?: Operands;
  /** Its options. */
  readonly options: Table;
  /** Command lines that work as printed, each with what it shows. */
  readonly examples: readonly (readonly [string, string])[];
  /**
   * The formats of its result, each with how to get it; the option `format` picks one. The option `output`,
   * where there is one, names the file that the result goes to, unless `ownsOutput` says otherwise.
   */
  readonly formats: Readonly<Record<string, LateFormatter<Result, Values<Table & Operands>>>>;
  /** Whether the option `output` is its own affair, a folder that it fills: its result is then printed. */
  readonly ownsOutput?: true;
  /**
   * Whether it asks the machines of `--kernel` itself. Otherwise it runs in one, as it is, and what it prints comes out
   * here.
   */
  asksMachines?(options: Values<Table & Operands>, machines: number): boolean;
  /** Does it. */
  run(options: Values<Table & Operands>, context: Context): Promise<Result>;
  /** The exit status that its result stands for. */
  status(result: Result, options: Values<Table & Operands>): number;
}

/** What a command came to. */
export interface Outcome {
  /** The result, in the format asked for: lines with their ends. */
  readonly output: Iterable<string>;
  /** The exit status. */
  readonly status: number;
}

/** A command whose values are checked when it is executed. */
export interface Command extends
  Pick<
    Declaration<OptionTable, unknown>,
    "name" | "summary" | "details" | "options" | "examples"
  > {
  /** Its operands in their order: none, for most. */
  readonly operands: OperandTable;
  /** As its declaration says, with values that were parsed by its own options and operands. */
  asksMachines(values: Readonly<Record<string, unknown>>, machines: number): boolean;
  /**
   * Runs it with values that were parsed by its own options and operands.
   *
   * @param values A value for each of them.
   */
  execute(values: Readonly<Record<string, unknown>>, context: Context): Promise<Outcome>;
}

/** The commands that there are. */
export interface Registry {
  /** Their names, in the order of help. */
  readonly names: readonly string[];
  /**
   * Loads one.
   *
   * @throws {UsageError} Where there is none of that name; names the nearest.
   */
  load(name: string): Promise<Command>;
  /** What is said of options that a command had, by their names. */
  movedFrom(name: string): Readonly<Record<string, string>>;
}

/** Makes a command of a declaration. */
export function defineCommand<
  Table extends OptionTable,
  Result,
  Operands extends OperandTable = Record<never, never>,
>(declaration: Declaration<Table, Result, Operands>): Command {
  const { name, summary, details, operands = {}, options, examples } = declaration;
  return {
    name,
    summary,
    details,
    operands,
    options,
    examples,
    // As in `execute`.
    asksMachines: (values, machines) =>
      declaration.asksMachines?.(values as Values<Table & Operands>, machines) ?? false,
    async execute(values, context) {
      // parse.ts filled `values` from `options` and `operands`: a parsed value or the fallback of each.
      const typed = values as Values<Table & Operands>;
      const load = declaration.formats[`${values["format"]}`];
      if (load === undefined) throw new TypeError(`${name} has no format ${values["format"]}`);
      const file = declaration.ownsOutput ? null : await outputFile(values["output"]);
      const print = file === null ? context.print : (chunks: Iterable<string>) => file.add(chunks);
      const terminal = file === null ? context.terminal : null;
      const result = await declaration.run(typed, {
        ...context,
        ...(file === null ? {} : { print, stream: print }),
        terminal,
      });
      const format = await load(result);
      const status = declaration.status(result, typed);
      const output = format(result, typed, terminal?.columns ?? null);
      if (file === null) return { output, status };
      file.add(output);
      try {
        await file.write();
        return { output: [], status };
      } catch (error) {
        if (!(error instanceof KernelError || error instanceof UsageError)) throw error;
        context.note(`${error.message}; the result is on standard output instead`);
        return { output: [file.text], status: Math.max(status, EXIT.KERNEL) };
      }
    },
  };
}

// Where the option `output` wants the result; found out before anything is done.
async function outputFile(name: unknown): Promise<OutputFile | null> {
  if (typeof name !== "string") return null;
  const { OutputFile } = await import("./output_file.ts");
  return await OutputFile.prepare(name);
}

/**
 * A format whose module is already there.
 *
 * @returns How to get it.
 */
export function now<Result, Options>(
  format: Formatter<Result, Options>,
): LateFormatter<Result, Options> {
  return () => Promise.resolve(format);
}

/** An object on a line of its own: what it is made of may have been printed before, a line each. */
export function ndjson(): Promise<Formatter<unknown, unknown>> {
  return Promise.resolve((result) => [`${JSON.stringify(result)}\n`]);
}

/** JSON, which every result has: its module is loaded when it is asked for. */
export async function json(): Promise<Formatter<unknown, unknown>> {
  return (await import("../report/json.ts")).jsonText;
}

/**
 * The exit status of a command that all held for, as far as it came.
 *
 * @param signal The signal that ended it early, or `null`.
 * @returns 129, 130 or 143 after an interrupt, otherwise 0.
 */
export function interruptStatus(signal: InterruptSignal | null): number {
  return signal === null ? EXIT.OK : EXIT[signal];
}
