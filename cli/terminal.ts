// The terminal that is written to, and whether colour is wanted.

/** A terminal. */
export interface Terminal {
  /** Its width, as it is now. */
  readonly columns: number;
  /** Its height, as it is now. */
  readonly rows: number;
  /** Whether it takes text alone, and no escape sequence: TERM=dumb. */
  readonly isDumb: boolean;
}

const COLUMNS = 80;
const ROWS = 24;

/** The terminal of this process. It has one size, whichever of its outputs is a terminal. */
export function ownTerminal(): Terminal {
  return {
    get columns() {
      return size().columns;
    },
    get rows() {
      return size().rows;
    },
    isDumb: variable("TERM") === "dumb",
  };
}

// A serial line reports 0 columns: its size is unknown, and taken for the usual one.
function size(): { readonly columns: number; readonly rows: number } {
  try {
    const { columns, rows } = Deno.consoleSize();
    return { columns: columns || COLUMNS, rows: rows || ROWS };
  } catch {
    return { columns: COLUMNS, rows: ROWS };
  }
}

/** The values of `--color`. */
export const COLOR_CHOICES = ["auto", "always", "never"] as const;
/** When colours are used. */
export type ColorChoice = typeof COLOR_CHOICES[number];

/** The variables of the environment that decide about colour; `null` where one is not set. */
export interface ColorVariables {
  /** With any text in it: no colour. */
  readonly NO_COLOR: string | null;
  /** With any text in it but 0: colour. */
  readonly FORCE_COLOR: string | null;
}

/**
 * Whether an output is coloured: `--color` decides, or else NO_COLOR, or else FORCE_COLOR, or else
 * whether it is a terminal that obeys escape sequences.
 *
 * @example
 * ```ts
 * import { isColoured } from "./terminal.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const set = { NO_COLOR: "1", FORCE_COLOR: "1" };
 * assertEquals([isColoured("always", set, null), isColoured("auto", set, null)], [true, false]);
 * ```
 *
 * @param terminal The terminal of the output; `null` if it is none.
 */
export function isColoured(
  choice: ColorChoice,
  { NO_COLOR, FORCE_COLOR }: ColorVariables,
  terminal: Pick<Terminal, "isDumb"> | null,
): boolean {
  if (choice !== "auto") return choice === "always";
  if (NO_COLOR) return false;
  if (FORCE_COLOR) return FORCE_COLOR !== "0";
  return terminal !== null && !terminal.isDumb;
}

/** The variables of this process's environment. */
export function colorVariables(): ColorVariables {
  return {
    NO_COLOR: variable("NO_COLOR") ?? (Deno.noColor ? "1" : null),
    FORCE_COLOR: variable("FORCE_COLOR"),
  };
}

// Without the permission to read it a variable counts as not set.
function variable(name: string): string | null {
  try {
    return Deno.env.get(name) ?? null;
  } catch {
    return null;
  }
}

/**
 * The value of `--color` on a command line that is not parsed yet, since errors of the parser are
 * coloured, too.
 *
 * @param args The command line.
 */
export function colorChoice(args: readonly string[]): ColorChoice {
  const end = args.indexOf("--");
  const given = end === -1 ? args : args.slice(0, end);
  const at = given.findLastIndex((arg) => arg === "--color" || arg.startsWith("--color="));
  const text = at === -1 ? "" : given[at]!.slice("--color=".length) || given[at + 1];
  return COLOR_CHOICES.find((choice) => choice === text) ?? "auto";
}
