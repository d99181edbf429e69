// What a command is: its declaration, its context, and how it runs.
import { KernelError } from "../ffi/errors.ts";
import type { Kernel } from "../ffi/kernel.ts";
import type { BackendSelection } from "../host/backend.ts";
import { EXIT, UsageError } from "../host/errors.ts";
import type { Interrupt, InterruptSignal } from "../host/interrupt.ts";
import type { MachineRequest } from "./machine_request.ts";
import type { OperandTable, OptionTable, Values } from "./option.ts";
import type { OutputFile } from "./output_file.ts";

/** What a command may use beside its options. */
export interface Context {
  /** Opens the kernel that its options ask for, traced with `--trace`. */
  openKernel(selection: BackendSelection): Promise<Kernel>;
  /** Prints a note or a warning of the program to stderr. */
  note(text: string): void;
  /**
   * Prints a part of the result while the command goes on.
   *
   * @returns Whether the output still has a reader.
   */
  print(chunks: Iterable<string>): boolean;
  /**
   * Prints progress without waiting for a slow reader: what is not read in time is dropped.
   *
   * @returns Whether the output still has a reader.
   */
  stream(chunks: Iterable<string>): boolean;
  /** The terminal of standard output, with its width; `null` if it is not a terminal. */
  readonly terminal: { readonly columns: number } | null;
  /** Prints a line to stderr without a prefix. */
  say(line: string): void;
  /**
   * Listens for the signals that end a command early but in order. Meanwhile a terminal shows on
   * stderr what the work says of itself (`Interrupt.progress`), from its first second on.
   *
   * @param tell Called when a signal arrives.
   * @returns The interrupt, for its caller to dispose of.
   * @throws {KernelError} If no file descriptor is left to listen with.
   */
  listen(tell?: () => void): Promise<Interrupt>;
  /**
   * The machines that `--kernel` asks for, with their command line; `null` if this host's kernel is
   * used.
   */
  readonly machines: MachineRequest | null;
  /**
   * Tells an observer outside the machine which step begins, so that it is known what a machine did
   * when it stopped.
   */
  announce(what: string): void;
  /**
   * Whether every kernel call is to be traced, for a command that makes the calls in another
   * process.
   */
  readonly trace: boolean;
}

/**
 * Formats a result as lines. `columns` is the width of the terminal, `null` if the output is not a
 * terminal.
 */
export type Formatter<Result, Options> = (
  result: Result,
  options: Options,
  columns: number | null,
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
  /** Command lines that work as printed, each with a description of what it shows. */
  readonly examples: readonly (readonly [string, string])[];
  /**
   * The formats of its result, each with a loader; the option `format` chooses one. The option
   * `output`, if there is one, names the file for the result, unless `ownsOutput` is set.
   */
  readonly formats: Readonly<Record<string, LateFormatter<Result, Values<Table & Operands>>>>;
  /**
   * Whether the command handles the option `output` itself, as a folder that it fills. Its result
   * is then printed.
   */
  readonly ownsOutput?: true;
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

/** The outcome of a command. */
export interface Outcome {
  /** The result in the chosen format: lines with their line ends. */
  readonly output: Iterable<string>;
  /** The exit status. */
  readonly status: number;
}

/** A command with erased types: its declaration fixes the types of its values. */
export interface Command extends
  Pick<
    Declaration<OptionTable, unknown>,
    "name" | "summary" | "details" | "options" | "examples"
  > {
  /** Its operands in their order; most commands have none. */
  readonly operands: OperandTable;
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
  const { name, summary, details, operands = {}, options, examples } = declaration;
  return {
    name,
    summary,
    details,
    operands,
    options,
    examples,
    // The cast holds as in `execute`.
    asksMachines: (values, machines) =>
      declaration.asksMachines?.(values as Values<Table & Operands>, machines) ?? false,
    async execute(values, context) {
      // parse.ts filled `values` from `options` and `operands`, with the parsed value or the
      // fallback of each.
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

// Opens the file of the option `output`, before the command does anything.
async function outputFile(name: unknown): Promise<OutputFile | null> {
  if (typeof name !== "string") return null;
  const { OutputFile } = await import("./output_file.ts");
  return await OutputFile.prepare(name);
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
export function ndjson(): Promise<Formatter<unknown, unknown>> {
  return Promise.resolve((result) => [`${JSON.stringify(result)}\n`]);
}

/** Formats a result as JSON, which every command offers. The module is loaded on demand. */
export async function json(): Promise<Formatter<unknown, unknown>> {
  return (await import("../report/json.ts")).jsonText;
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
