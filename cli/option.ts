// The options of commands: their type, and constructors for the common kinds.
import { printable } from "../text/printable.ts";

/** An option of a command: its syntax, its help, and how its text becomes a value. */
export interface Option<T> {
  /** The placeholder of the value in help, such as `N`; `null` for a flag, which takes no value. */
  readonly value: string | null;
  /** Whether it may stand without a value; only `--name=value` gives it one. */
  readonly isValueOptional?: true;
  /** What it does, in a line or two. */
  readonly help: string;
  /** The value if the option is not given. */
  readonly fallback: T;
  /** The default as help shows it; `null` if there is none to show. */
  readonly fallbackText: string | null;
  /**
   * Whether it may be given several times. Its value is then the concatenation of the parsed lists.
   * Of operands only the last one may.
   */
  readonly isMany?: true;
  /**
   * The file or folder that a value names, or several, which must be transferred to a machine of
   * `--kernel`; `null` if there is none.
   */
  file?(value: T): OptionFile | readonly OptionFile[] | null;
  /** The words that it takes, which the shell completes. */
  readonly choices?: readonly string[];
  /** What the shell completes a value with, where it is more than `choices`. */
  readonly completes?: Completion;
  /**
   * Parses a value.
   *
   * @throws {SyntaxError} If the text is not a valid value; the message says what was expected.
   */
  parse(text: string): T;
}

/** What the shell completes a value with. */
export interface Completion {
  /** Words, or what loads them. One that ends with a colon is followed by more. */
  readonly words?: readonly string[] | (() => Promise<readonly string[]>);
  /** Names of files, or of folders alone. */
  readonly path?: "file" | "folder";
  /** The words that the name of a file follows: `file:`. */
  readonly fileAfter?: readonly string[];
  /** Whether several may be given, separated by commas. */
  readonly isList?: true;
}

/** A file or folder that an option names, and what the command does with it. */
export interface OptionFile {
  /** The path as given; `-` is standard input. */
  readonly path: string;
  /** What is done with it. A file is written at the end; a folder may grow during the run. */
  readonly use: "read" | "read folder" | "write" | "write folder";
}

/** The files and folders that a value of an option names. */
export function filesOf({ file }: Pick<Option<unknown>, "file">, value: unknown): OptionFile[] {
  return [file?.(value) ?? []].flat();
}

/** Options by name, without the two dashes. */
export type OptionTable = Readonly<Record<string, Option<unknown>>>;

/** A positional argument of a command, parsed like the value of an option. */
export interface Operand<T> extends Option<T> {
  /** Its placeholder in help, such as `DIR`. */
  readonly value: string;
  /** Whether it is required. */
  readonly isRequired: boolean;
}

/** Operands in their order, by name; no option of the command may have the same name. */
export type OperandTable = Readonly<Record<string, Operand<unknown>>>;

/** The types of the values of a table of options or operands. */
export type Values<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Option<infer T> ? T : never;
};

/**
 * Makes an option without a value.
 *
 * @returns The option; false unless given.
 */
export function flag(help: string): Option<boolean> {
  return { value: null, help, fallback: false, fallbackText: "off", parse: () => true };
}

/** Bounds of an integer. */
export interface CountBounds {
  /** The least; 0 unless given. */
  readonly min?: number;
  /** The greatest; 2^53 − 1 unless given. */
  readonly max?: number;
}

/**
 * Makes an option that takes an integer, decimal or with 0x.
 *
 * @param fallback Its default.
 */
export function count(help: string, fallback: number, bounds: CountBounds = {}): Option<number> {
  return {
    value: "N",
    help,
    fallback,
    fallbackText: `${fallback}`,
    parse: (text) => parseCount(text, bounds),
  };
}

/**
 * Makes an option that takes an integer and has no default.
 *
 * @param fallbackText What help shows if it is not given.
 */
export function optionalCount(
  help: string,
  bounds: CountBounds = {},
  fallbackText: string | null = null,
): Option<number | undefined> {
  return {
    value: "N",
    help,
    fallback: undefined,
    fallbackText,
    parse: (text) => parseCount(text, bounds),
  };
}

function parseCount(text: string, { min = 0, max = Number.MAX_SAFE_INTEGER }: CountBounds): number {
  const value = /^(\d+|0x[0-9a-f]+)$/i.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw new SyntaxError(
    max === Number.MAX_SAFE_INTEGER && !(value > max)
      ? `expected a whole number of ${min} or more`
      : `expected a whole number from ${min} to ${max}`,
  );
}

/**
 * Makes an option that takes one of some words.
 *
 * @param words The words; the first is the default.
 */
export function choice<const Word extends string>(
  help: string,
  words: readonly [Word, ...Word[]],
): Option<Word> {
  return {
    value: words.join("|"),
    help,
    fallback: words[0],
    fallbackText: words[0],
    choices: words,
    parse(text) {
      const word = words.find((word) => word === text);
      if (word === undefined) throw new SyntaxError(`expected ${orList(words)}`);
      return word;
    },
  };
}

/**
 * Makes a parser for paths.
 *
 * @returns The parser, which accepts any text but an empty one.
 */
export function parsePath(kind: "file" | "folder"): (text: string) => string {
  return (text) => {
    if (text !== "") return text;
    throw new SyntaxError(`expected the name of a ${kind}`);
  };
}

function orList(words: readonly string[]): string {
  return words.length < 2
    ? words.join()
    : `${words.slice(0, -1).join(", ")} or ${words[words.length - 1]}`;
}

/** The flag of an option. Errors of the lower layers know only its name. */
export function optionFlag(name: string): string {
  return `--${name}`;
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};

const ENTRY_BYTES = 16;
const PAGE_BYTES = 4096;
const MAX_RING_BYTES = 2 ** 32 - 1;

interface Size {
  readonly bytes: number;
  readonly hasUnit: boolean;
}

// Parses a number with a unit, or an integer without one; null if the text is neither.
function parseSize(text: string): Size | null {
  const parts = /^(\d+(?:\.\d+)?)\s*([a-z]+)?$/i.exec(text);
  if (parts === null) return null;
  const unit = parts[2]?.toLowerCase();
  const factor = unit === undefined ? 1 : SIZE_UNITS[unit];
  const bytes = Number(parts[1]) * (factor ?? NaN);
  return Number.isSafeInteger(bytes) ? { bytes, hasUnit: unit !== undefined } : null;
}

/**
 * Makes an option that takes an amount of memory.
 *
 * @param fallback Its default in bytes.
 * @param fallbackText The default as help shows it.
 * @returns The option; its value is in bytes, a positive multiple of the page size.
 */
export function memorySize(help: string, fallback: number, fallbackText: string): Option<number> {
  return {
    value: "SIZE",
    help,
    fallback,
    fallbackText,
    parse(text) {
      const bytes = parseSize(text)?.bytes ?? 0;
      if (bytes > 0 && bytes % PAGE_BYTES === 0) return bytes;
      throw new SyntaxError(
        `expected a size with a unit (64MiB, 2GiB), a multiple of ${PAGE_BYTES} bytes`,
      );
    },
  };
}

/**
 * Makes an option that takes a ring's size: a plain number counts entries, a number with a unit
 * bytes. The kernel takes a 32-bit number of bytes, and a harvester needs whole entries; only these
 * two rules are checked here. The kernel decides about everything else.
 *
 * @param fallback Its default in entries.
 * @returns The option; its value is in bytes.
 */
export function ringSize(help: string, fallback: number): Option<number> {
  return {
    value: "N",
    help,
    fallback: fallback * ENTRY_BYTES,
    fallbackText: `${fallback}`,
    parse(text) {
      const size = parseSize(text);
      if (size === null || (!size.hasUnit && !/^\d+$/.test(text))) {
        throw new SyntaxError("expected a number of entries (4096), or bytes with a unit (64KiB)");
      }
      const bytes = size.hasUnit ? size.bytes : size.bytes * ENTRY_BYTES;
      if (bytes > MAX_RING_BYTES) {
        throw new SyntaxError(
          `that is ${bytes} bytes, and the kernel would look at the low 32 bits alone; expected ` +
            `at most ${MAX_RING_BYTES} bytes`,
        );
      }
      if (bytes % ENTRY_BYTES !== 0) {
        throw new SyntaxError(`expected whole entries: a multiple of ${ENTRY_BYTES} bytes`);
      }
      return bytes;
    },
  };
}

const TIME_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };
const HOUR_MS = 3_600_000;

/**
 * Makes an option that takes a time with a unit: ms, s or m.
 *
 * @param fallback Its default in milliseconds.
 * @param fallbackText The default as help shows it.
 * @returns The option; its value is in milliseconds, from 1 to 3,600,000 (an hour).
 */
export function duration(help: string, fallback: number, fallbackText: string): Option<number> {
  return { value: "TIME", help, fallback, fallbackText, parse: parseDuration };
}

/**
 * Makes an option that takes a time with a unit, in milliseconds, and has no default of its own.
 *
 * @param fallbackText What help shows if it is not given.
 */
export function optionalDuration(help: string, fallbackText: string): Option<number | undefined> {
  return { value: "TIME", help, fallback: undefined, fallbackText, parse: parseDuration };
}

function parseDuration(text: string): number {
  const parts = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text);
  const ms = parts === null ? NaN : Number(parts[1]) * TIME_UNITS[parts[2]!]!;
  if (ms >= 1 && ms <= HOUR_MS) return ms;
  throw new SyntaxError("expected a time with a unit (500ms, 10s, 2m), from 1ms to 60m");
}

/**
 * Makes an option that takes several values, separated by commas.
 *
 * @example
 * ```ts
 * import { list } from "./option.ts";
 * import { count } from "./option.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const pages = list(count("", 1, { min: 1 }), "numbers of dirty pages", [16, 256]);
 * assertEquals([pages.fallbackText, pages.parse("1,0x10")], ["16,256", [1, 16]]);
 * ```
 *
 * @param item An option with one value, which parses each of them.
 * @param fallbackText The default as help shows it.
 * @returns The option; its list has at least one value, and no value twice.
 */
export function list<T>(
  item: Option<T>,
  help: string,
  fallback: readonly T[],
  fallbackText: string = fallback.join(),
): Option<readonly T[]> {
  const words = item.completes?.words ?? item.choices;
  return {
    value: `${item.value},...`,
    help,
    fallback,
    fallbackText,
    completes: { ...(words === undefined ? {} : { words }), isList: true },
    parse(text) {
      const values: T[] = [];
      const parts = text.split(",").map((part) => part.trim());
      for (const one of parts) {
        // The error of a whole option already names its text.
        const value = parts.length === 1 ? item.parse(one) : parseOne(item, one);
        if (values.includes(value)) throw new SyntaxError(`${printable(one)} stands there twice`);
        values.push(value);
      }
      return values;
    },
  };
}

function parseOne<T>(item: Option<T>, text: string): T {
  try {
    return item.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new SyntaxError(`${text === "" ? '""' : printable(text)}: ${error.message}`);
  }
}

/**
 * Makes an option that takes globs, separated by commas.
 *
 * @param fallbackText What help shows if it is not given.
 * @param words Loads what the globs may match, for completion.
 * @returns The option; its list is empty unless given.
 */
export function globs(
  help: string,
  fallbackText: string,
  words: () => Promise<readonly string[]> = () => Promise.resolve([]),
): Option<readonly string[]> {
  return {
    value: "GLOBS",
    help,
    fallback: [],
    fallbackText,
    completes: { words, isList: true },
    parse(text) {
      const all = text.split(",").map((one) => one.trim()).filter((one) => one !== "");
      if (all.length > 0) return all;
      throw new SyntaxError("expected ids, or globs of ids, separated by commas (reset.*,mmap.*)");
    },
  };
}
