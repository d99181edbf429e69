// What can be completed on a command line: the words of the declarations, ready for a shell's script.

/** What completes a value. */
export interface ValueWords {
  /** Words; one that ends with a colon goes on. */
  readonly words: readonly string[];
  /** Whether names of files, or of folders alone, complete it. */
  readonly path: "file" | "folder" | null;
  /** The words that the name of a file follows. */
  readonly fileAfter: readonly string[];
  /** Whether several values may be given, separated by commas. */
  readonly isList: boolean;
}

/** An option. */
export interface OptionWords {
  /** Its name, without dashes. */
  readonly name: string;
  /** The letter that stands for it, if one does. */
  readonly short: string | null;
  /** What it does, in a few words. */
  readonly brief: string;
  /** The placeholder of its value; `null` for a flag. */
  readonly value: string | null;
  /** Whether it may stand without a value; only `--name=value` gives it one. */
  readonly isValueOptional: boolean;
  /** What completes its value. */
  readonly values: ValueWords;
  /** Whether it may be given several times. */
  readonly isMany: boolean;
}

/** A command. */
export interface CommandWords {
  /** Its name. */
  readonly name: string;
  /** What it does, in a line. */
  readonly summary: string;
  /** Its own options. */
  readonly options: readonly OptionWords[];
  /** Whether it has those of every command, too. */
  readonly hasEvery: boolean;
  /** What completes its operands, in their order. */
  readonly operands: readonly ValueWords[];
}

/** All that can be completed. */
export interface Vocabulary {
  /** The commands. */
  readonly commands: readonly CommandWords[];
  /** The options of every command that asks a kernel. */
  readonly every: readonly OptionWords[];
}

/** The options that may stand before a command: flags. */
export function flagsOf({ every }: Vocabulary): OptionWords[] {
  return every.filter((option) => !awaits(option));
}

/** Whether the word behind an option is its value. */
export function awaits({ value, isValueOptional }: OptionWords): boolean {
  return value !== null && !isValueOptional;
}

/** Whether anything completes a value. */
export function isCompleted({ words, path }: ValueWords): boolean {
  return words.length > 0 || path !== null;
}

/**
 * Groups keys by what stands for them, so that a script says once what holds for several.
 *
 * @example
 * ```ts
 * import { grouped } from "./vocabulary.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const same = grouped([["dump", "x"], ["run", "y"], ["stats", "x"]]);
 * assertEquals(same, [["x", ["dump", "stats"]], ["y", ["run"]]]);
 * ```
 *
 * @param pairs Each key, and what stands for it.
 * @returns What stands for keys, each once, with its keys.
 */
export function grouped(
  pairs: Iterable<readonly [key: string, what: string]>,
): [what: string, keys: string[]][] {
  const groups = new Map<string, string[]>();
  for (const [key, what] of pairs) {
    const keys = groups.get(what);
    if (keys === undefined) groups.set(what, [key]);
    else keys.push(key);
  }
  return [...groups];
}
