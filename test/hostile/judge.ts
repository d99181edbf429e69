import { FORGED } from "./texts.ts";

/** What a case came to. */
export interface Outcome {
  /** The command line, where there was one. */
  readonly args: readonly string[];
  /** The exit status. */
  readonly status: number;
  /** The one that it must have; `null` where several are right. */
  readonly expected: number | null;
  /** What was printed on standard output. */
  readonly stdout: string;
  /** What was printed on standard error. */
  readonly stderr: string;
  /** Milliseconds that it took. */
  readonly ms: number;
  /** The most memory that the process had meanwhile, in bytes; `null` where that is not known. */
  readonly peakBytes: number | null;
  /** Paths that are there and were not, may not be, or were changed. */
  readonly left: readonly string[];
}

/** The kind of a fault: one line is printed of each. */
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

/** What is wrong with it. */
export interface Fault {
  /** Its kind. */
  readonly kind: FaultKind;
  /** What was seen. */
  readonly detail: string;
}

/** No case may take longer. */
export const MOST_MS = 10_000;
/** No case may need more. */
export const MOST_BYTES: number = 300 * 2 ** 20;
/** No line of standard error may have more characters: what comes from outside is cut. */
const MOST_CHARACTERS = 4096;

/** A defect of the tool itself. */
const DEFECT = 70;
/** Nobody interrupts a case, and all that it prints is read. */
const NOT_HERE: ReadonlySet<number> = new Set([DEFECT, 129, 130, 141, 143]);
/** `git bisect run` takes these, whatever README's other table says. */
const BISECTED: ReadonlySet<number> = new Set([0, 1, 125, 129]);

/** C0 but for tab and line feed, DEL, C1, line and paragraph separators, what turns the direction of text. */
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

/** Something printed as it can be shown: without what a terminal takes for more than text. */
export function shown(text: string, most = 300): string {
  return JSON.stringify(text.length > most ? `${text.slice(0, most)}...` : text)
    .replaceAll(
      new RegExp(CONTROL, "g"),
      (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
}

/**
 * Judges what a case came to.
 *
 * @param documented The statuses of README's table.
 * @returns What is wrong with it: nothing, if all is well.
 */
export function judge(outcome: Outcome, documented: ReadonlySet<number>): Fault[] {
  const { args, status, expected, stdout, stderr, ms, peakBytes, left } = outcome;
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
  // In a machine the command may have said it, and its kernel changed the words.
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
