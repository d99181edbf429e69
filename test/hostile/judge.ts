import { STYLED } from "../../text/styled.ts";
import { FORGED } from "./texts.ts";

/** The outcome of a case. */
export interface Outcome {
  /** The command line. */
  readonly args: readonly string[];
  /** The exit status. */
  readonly status: number;
  /** The exit status that it must have; `null` if several are right. */
  readonly expected: number | null;
  /** What was printed on standard output. */
  readonly stdout: string;
  /** What was printed on standard error. */
  readonly stderr: string;
  /** Duration in milliseconds. */
  readonly ms: number;
  /** Peak memory of the process during the case, in bytes; `null` if it is unknown. */
  readonly peakBytes: number | null;
  /** Paths that were added, changed or removed and should not be. */
  readonly left: readonly string[];
}

/** The kind of a fault. */
export type FaultKind =
  | "status"
  | "stack"
  | "control"
  | "forged"
  | "message"
  | "left"
  | "time"
  | "memory"
  | "crash";

/** What is wrong with an outcome. */
export interface Fault {
  /** Its kind. */
  readonly kind: FaultKind;
  /** What was seen. */
  readonly detail: string;
}

/** The longest that a case may take, in milliseconds. */
export const MOST_MS = 10_000;
/** The most memory that a case may need, in bytes. */
export const MOST_BYTES: number = 300 * 2 ** 20;
/**
 * The longest line on standard error, in characters: the tool has to cut long text from outside.
 */
const MOST_CHARACTERS = 4096;

/** The exit status for a defect of the tool itself. */
const DEFECT = 70;
/** Statuses that no case may have: cases are not interrupted, and all of their output is read. */
const NOT_HERE: ReadonlySet<number> = new Set([DEFECT, 129, 130, 141, 143]);
/** The statuses of `check --bisect`, which are made for `git bisect run`. */
const BISECTED: ReadonlySet<number> = new Set([0, 1, 125, 129]);

/**
 * C0 except tab and line feed, DEL, C1, line and paragraph separators, and characters for text
 * direction.
 */
const CONTROL =
  // deno-lint-ignore no-control-regex
  /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/;

/** The exit statuses of README's table. */
export function documentedStatuses(readme: string): ReadonlySet<number> {
  const section = readme.split("\n## Exit statuses\n")[1]?.split("\n## ")[0] ?? "";
  const rows = [...section.matchAll(/^\| ([\d, ]+) \|/gm)];
  const statuses = rows.flatMap(([, numbers]) => numbers!.split(",").map(Number));
  if (statuses.length < 5) throw new Error("README.md has no table of exit statuses");
  return new Set(statuses);
}

const COLOURED = new RegExp(STYLED, "g");

// Without the program's own colours, whole and on one line, which --color=always asks for.
function uncoloured(text: string): string {
  return text.replaceAll(
    COLOURED,
    (one) => one.slice(one.indexOf("m") + 1, one.lastIndexOf("\x1b")),
  );
}

/** Text from an output in a form that is safe to print: quoted, escaped and cut. */
export function shown(text: string, most = 300): string {
  return JSON.stringify(text.length > most ? `${text.slice(0, most)}...` : text)
    .replaceAll(
      new RegExp(CONTROL, "g"),
      (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
}

/**
 * Judges the outcome of a case.
 *
 * @param documented The statuses in README's table.
 * @returns Its faults; none if all is well.
 */
export function judge(outcome: Outcome, documented: ReadonlySet<number>): Fault[] {
  const { args, status, expected, ms, peakBytes, left } = outcome;
  const stdout = uncoloured(outcome.stdout);
  const stderr = uncoloured(outcome.stderr);
  const faults: Fault[] = [];
  const add = (kind: FaultKind, detail: string) => faults.push({ kind, detail });
  const isTaken = args.includes("--bisect")
    ? BISECTED.has(status)
    : documented.has(status) && !NOT_HERE.has(status);
  if (expected !== null && status !== expected) {
    add("status", `${status}, and not ${expected}: ${shown(stderr)}`);
  }
  if (!isTaken) add("status", `${status}: ${shown(stderr)}`);
  for (const [name, text] of [["stdout", stdout], ["stderr", stderr]] as const) {
    const stack = /^ {4}at \S.*$/m.exec(text);
    if (stack !== null) add("stack", `${name}: ${shown(text)}`);
    const control = CONTROL.exec(text);
    if (control !== null) {
      add("control", `${name}: ${shown(text.slice(Math.max(0, control.index - 100)), 200)}`);
    }
    const forged = new RegExp(`^.*?(?:^|[\\r\\u2028\\u2029])${FORGED}.*$`, "m").exec(text);
    if (forged !== null) add("forged", `${name}: ${shown(text)}`);
  }
  const long = stderr.split("\n").find((line) => line.length > MOST_CHARACTERS);
  if (long !== undefined) {
    add("message", `a line of ${long.length} characters: ${shown(long, 120)}`);
  }
  // With a machine the message may come from the command there, and a hostile kernel may have
  // changed it.
  const isInMachine = args.some((arg) => arg.startsWith("--kernel"));
  const isTold = isInMachine ? stderr !== "" : /^dirtyring: ./m.test(stderr);
  if ([2, 3, 125, 129].includes(status) && !isTold) add("message", `status ${status}, and no word`);
  for (const path of left) add("left", shown(path));
  if (ms > MOST_MS) add("time", `${Math.round(ms)} ms`);
  if (peakBytes !== null && peakBytes > MOST_BYTES) {
    add("memory", `${Math.round(peakBytes / 2 ** 20)} MiB`);
  }
  return faults;
}
