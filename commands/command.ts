import type { Kernel } from "../ffi/kernel.ts";
import type { BackendSelection } from "../lab/backend.ts";
import { loadModule } from "./load_module.ts";
import type { OptionTable, Values } from "./option.ts";
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
  /** Whether every kernel call is to be shown, for a command that makes them in another process. */
  readonly trace: boolean;
}

/** A result turned into lines: one format of it. */
export type Formatter<Result, Options> = (result: Result, options: Options) => Iterable<string>;

/** Loads a formatter that is seldom asked for. */
export type LateFormatter<Result, Options> = () => Promise<Formatter<Result, Options>>;

/** A command: parsing, help, completion and the manual all come from this declaration. */
export interface Declaration<Table extends OptionTable, Result> {
  /** Its name. */
  readonly name: string;
  /** What it does, in a line. */
  readonly summary: string;
  /** What a person should know beyond that. */
  readonly details: string;
  /** Its options. */
  readonly options: Table;
  /** Command lines that work as printed, each with what it shows. */
  readonly examples: readonly (readonly [string, string])[];
  /**
   * The formats of its result, each with how to get it; the option `format` picks one. The option `output`,
   * where there is one, names the file that the result goes to, unless `ownsOutput` says otherwise.
   */
  readonly formats: Readonly<Record<string, LateFormatter<Result, Values<Table>>>>;
  /** Whether the option `output` is its own affair, a folder that it fills: its result is then printed. */
  readonly ownsOutput?: true;
  /** Does it. */
  run(options: Values<Table>, context: Context): Promise<Result>;
  /** The exit status that its result stands for. */
  status(result: Result, options: Values<Table>): number;
}

/** What a command came to. */
export interface Outcome {
  /** The result, in the format asked for: lines with their ends. */
  readonly output: Iterable<string>;
  /** The exit status. */
  readonly status: number;
}

/** A command whose option values are checked when it is executed. */
export interface Command
  extends Omit<Declaration<OptionTable, unknown>, "formats" | "ownsOutput" | "run" | "status"> {
  /**
   * Runs it with values that were parsed by its own options.
   *
   * @param values A value for each option.
   * @param context What it may use.
   * @returns What it came to.
   */
  execute(values: Readonly<Record<string, unknown>>, context: Context): Promise<Outcome>;
}

/**
 * Makes a command of a declaration.
 *
 * @param declaration The declaration.
 * @returns The command.
 */
export function defineCommand<Table extends OptionTable, Result>(
  declaration: Declaration<Table, Result>,
): Command {
  const { name, summary, details, options, examples } = declaration;
  return {
    name,
    summary,
    details,
    options,
    examples,
    async execute(values, context) {
      // commands/parse.ts filled `values` from `options`: a parsed value or the fallback of each.
      const typed = values as Values<Table>;
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
      const format = await load();
      const status = declaration.status(result, typed);
      const output = format(result, typed);
      if (file === null) return { output, status };
      file.add(output);
      await file.write();
      return { output: [], status };
    },
  };
}

// Where the option `output` wants the result; found out before anything is done.
async function outputFile(name: unknown): Promise<OutputFile | null> {
  if (typeof name !== "string") return null;
  const module = await loadModule("./output_file.ts") as typeof import("./output_file.ts");
  return await module.OutputFile.prepare(name);
}
