// Parses the options and operands of a command line.
import { parseArgs } from "@std/cli/parse-args";
import { UsageError } from "../host/errors.ts";
import { printable } from "../text/printable.ts";
import type { OperandTable, Option, OptionTable } from "./option.ts";

/** The options that may be written with one letter: `-h`. */
export const SHORT: Readonly<Record<string, string>> = { help: "h", version: "V" };

/** A parsed command line. */
export interface ParsedLine {
  /** A value for each option. */
  readonly values: Readonly<Record<string, unknown>>;
  /** The operands. */
  readonly operands: readonly string[];
  /** The options as given, each with its value in one word: `--name=value`. */
  readonly given: readonly string[];
}

/**
 * Parses the options of a command: `--name value`, `--name=value`, `--flag`, `-h`. `--` ends the
 * options.
 *
 * @param args The arguments after the command's name.
 * @param options The command's options and the global ones.
 * @param moved By name: the error texts for options that no longer exist.
 * @returns The values of the options, and the operands.
 * @throws {UsageError} For an unknown option, an option given twice, and a missing or wrong value.
 */
export async function parseLine(
  args: readonly string[],
  options: OptionTable,
  moved: Readonly<Record<string, string>> = {},
): Promise<ParsedLine> {
  const names = Object.keys(options);
  const joined = joinValues(args, options);
  const end = joined.includes("--") ? joined.indexOf("--") : joined.length;
  const unknown = joined.slice(0, end).filter(isUnderscore);
  if (unknown.length > 0) throw new UsageError(await unknownOption(unknown[0]!, options));
  const parsed = parseArgs(joined, {
    boolean: names.filter((name) => options[name]!.value === null),
    string: [...names.filter((name) => options[name]!.value !== null), "_"],
    collect: names,
    alias: SHORT,
    unknown: (arg, key) => {
      if (key === undefined) return true;
      unknown.push(arg.replace(/=.*$/s, ""));
      return false;
    },
  });
  const gone = unknown.find((arg) => arg.startsWith("--") && Object.hasOwn(moved, arg.slice(2)));
  if (gone !== undefined) throw new UsageError(moved[gone.slice(2)]!);
  if (unknown.length > 0) throw new UsageError(await unknownOption(unknown[0]!, options));
  const values: Record<string, unknown> = {};
  for (const name of names) values[name] = valueOf(name, parsed[name], options);
  const operands = parsed._.map(String);
  const given = joined.slice(0, end).filter((arg) => /^-./s.test(arg));
  return { values, operands, given };
}

/**
 * Parses the operands of a command.
 *
 * @param command The command's name, and its operands in their order.
 * @param texts The operands as given.
 * @returns A value for each operand.
 * @throws {UsageError} If there are too many, or if one is missing or wrong.
 */
export function parseOperands(
  command: { readonly name: string; readonly operands: OperandTable },
  texts: readonly string[],
): Readonly<Record<string, unknown>> {
  const { name, operands } = command;
  const names = Object.keys(operands);
  const last = operands[names.at(-1) ?? ""];
  if (texts.length > names.length && last?.isMany !== true) {
    const [unexpected] = texts.slice(names.length);
    throw new UsageError(`unexpected ${printable(unexpected!)}; expected ${usage(command)}`);
  }
  const values: Record<string, unknown> = {};
  for (const [n, one] of names.entries()) {
    const text = texts[n];
    const operand = operands[one]!;
    if (text === undefined && operand.isRequired) {
      throw new UsageError(`${name}: ${operand.value} is missing; expected ${usage(command)}`);
    }
    // The last operand may take all texts that are left, each parsed as a list.
    values[one] = text === undefined
      ? operand.fallback
      : operand.isMany
      ? texts.slice(n).flatMap((text) => parseValue(name, text, operand))
      : parseValue(name, text, operand);
  }
  return values;
}

/**
 * The usage line of a command.
 *
 * @param command The command's name, and its operands in their order.
 * @returns The line; optional parts are in brackets.
 */
export function usage(
  { name, operands }: { readonly name: string; readonly operands: OperandTable },
): string {
  const words = Object.values(operands).map(({ value, isRequired, isMany }) => {
    const word = isRequired ? value : `[${value}]`;
    return isMany ? `${word} [${value} ...]` : word;
  });
  return ["dirtyring", name, ...words, "[OPTION ...]"].join(" ");
}

// Turns `--name value` into `--name=value`, so that a value may begin with a dash: -1 is a wrong
// number, not an option, and - is standard input.
function joinValues(args: readonly string[], options: OptionTable): string[] {
  const joined: string[] = [];
  for (let n = 0; n < args.length; n++) {
    const arg = args[n]!;
    if (arg === "--") return [...joined, ...args.slice(n)];
    const option = arg.startsWith("--") ? own(options, arg.slice(2)) : undefined;
    if (option?.isValueOptional) {
      joined.push(`${arg}=`);
      continue;
    }
    if (option !== undefined && option.value !== null) {
      const value = args[++n];
      if (value === undefined) {
        throw new UsageError(`${arg}: a value is missing; expected ${arg} ${option.value}`);
      }
      joined.push(`${arg}=${value}`);
      continue;
    }
    const [name, value] = arg.split("=", 2);
    if (
      value !== undefined && name!.startsWith("--") && own(options, name!.slice(2))?.value === null
    ) {
      throw new UsageError(`${printable(arg)}: ${name} takes no value`);
    }
    joined.push(arg);
  }
  return joined;
}

// parseArgs collects operands under `_`, and would accept an option of that name.
function isUnderscore(arg: string): boolean {
  return /^-(?!-).*_|^--_(=|$)/s.test(arg);
}

// The option of a name, without properties that every object inherits.
function own(options: OptionTable, name: string): Option<unknown> | undefined {
  return Object.hasOwn(options, name) ? options[name] : undefined;
}

function valueOf(name: string, given: unknown, options: OptionTable): unknown {
  const option = options[name]!;
  // With `collect`, parseArgs returns a list of values for each option that was given.
  const texts = Array.isArray(given) ? given : [];
  if (texts.length === 0) return option.fallback;
  if (option.value === null) return true;
  // An option that may be given several times parses each value as a list.
  if (option.isMany) return texts.flatMap((text) => parseValue(`--${name}`, `${text}`, option));
  if (texts.length > 1) {
    throw new UsageError(`--${name} is given ${texts.length} times; expected it once`);
  }
  return parseValue(`--${name}`, `${texts[0]}`, option);
}

function parseValue(what: string, text: string, option: Option<unknown>): unknown {
  try {
    return option.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UsageError(`${what} ${text === "" ? '""' : printable(text)}: ${error.message}`);
  }
}

async function unknownOption(arg: string, options: OptionTable): Promise<string> {
  const { nearest } = await import("./nearest.ts");
  const near = nearest(arg.replace(/^-+/, ""), Object.keys(options));
  return `unknown option ${printable(arg)}` +
    (near === null ? "; --help lists all" : `; did you mean --${near}?`);
}
