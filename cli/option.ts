/** An option of a command: how it is written, what it means, and how its text becomes a value. */
export interface Option<T> {
  /** What stands for the value in help, `N`; `null` for a flag, which takes none. */
  readonly value: string | null;
  /** What it means, in a line or two. */
  readonly help: string;
  /** The value where the option is not given. */
  readonly fallback: T;
  /** The default as help shows it; `null` where there is none to show. */
  readonly fallbackText: string | null;
  /** Whether it may be given several times: its value is then the list of what each gives. */
  readonly isMany?: true;
  /** The file or folder that a value names, which a machine of its own must be given; `null` where it names none. */
  file?(value: T): OptionFile | null;
  /** The values that a shell may complete. */
  readonly choices?: readonly string[];
  /**
   * Reads a value.
   *
   * @throws {SyntaxError} With what was expected, where the text is none.
   */
  parse(text: string): T;
}

/** A file or a folder that an option names, and what the command does with it. */
export interface OptionFile {
  /** The path as it was given; `-` is standard input. */
  readonly path: string;
  /** What is done with it. A file that is written is written in the end; a folder may grow meanwhile. */
  readonly use: "read" | "read folder" | "write" | "write folder";
}

/** Options by name, without the two dashes. */
export type OptionTable = Readonly<Record<string, Option<unknown>>>;

/** What a command takes beside its options, by its place: it is read as an option's value is. */
export interface Operand<T> extends Option<T> {
  /** What stands for it in help, `DIR`. */
  readonly value: string;
  /** Whether it must be given. */
  readonly isRequired: boolean;
}

/** Operands in their order, by names that no option of the command has. */
export type OperandTable = Readonly<Record<string, Operand<unknown>>>;

/** The values of a table of options, or of operands. */
export type Values<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends Option<infer T> ? T : never;
};

/**
 * An option without a value.
 *
 * @param help What it means.
 * @returns The option; false unless given.
 */
export function flag(help: string): Option<boolean> {
  return { value: null, help, fallback: false, fallbackText: "off", parse: () => true };
}

/** Bounds of a whole number. */
export interface CountBounds {
  /** The least; 0 unless given. */
  readonly min?: number;
  /** The greatest; 2^53 − 1 unless given. */
  readonly max?: number;
}

/**
 * An option that takes a whole number, decimal or with 0x.
 *
 * @param help What it means.
 * @param fallback Its default.
 * @param bounds Its bounds.
 * @returns The option.
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
 * An option that takes a whole number and has no default.
 *
 * @param help What it means.
 * @param bounds Its bounds.
 * @param fallbackText What help says where it is not given.
 * @returns The option.
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
    max === Number.MAX_SAFE_INTEGER
      ? `expected a whole number of ${min} or more`
      : `expected a whole number from ${min} to ${max}`,
  );
}

/**
 * An option that takes one of some words.
 *
 * @param help What it means.
 * @param words The words; the first is the default.
 * @returns The option.
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
 * Reads a path.
 *
 * @param kind What it names.
 * @returns How to read it: any text but an empty one.
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

/**
 * How an option is written: what errors of all below call by its name alone.
 *
 * @param name Its name.
 * @returns The name with dashes.
 */
export function optionFlag(name: string): string {
  return `--${name}`;
}
