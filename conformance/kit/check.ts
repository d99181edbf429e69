import type { CheckHost } from "./check_host.ts";
import type { CheckAnswer, Permission } from "./expect.ts";

/** The groups of docs/abi.md, in its order. */
export type Group =
  | "enabling"
  | "mapping"
  | "entry"
  | "pushing"
  | "harvesting"
  | "resetting"
  | "full"
  | "slots"
  | "coalescing";

/** A statement of docs/abi.md, and the function that asks a kernel whether it holds. */
export interface Check {
  /** The statement's id. */
  readonly id: string;
  /** The statement in a line. */
  readonly statement: string;
  /** Where the kernel promises it: one of {@linkcode import("./expect.ts")}. */
  readonly source: string;
  /** Whether a real kernel can be asked, or only a kernel in memory. */
  readonly where: "live" | "model";
  /** Whether the kernel warns where the statement is shown: its WARN_ON() is then no failure. */
  readonly warns?: true;
  /** Whether a kernel without a fix could be harmed by it: it is made last, and with `--allow-harm` alone. */
  readonly harms?: true;
  /**
   * Asks the kernel.
   *
   * @param host The kernel and what is known of it; machines made with it are disposed afterwards.
   * @returns Nothing, or what is worth saying of a statement that holds, or a {@linkcode Known} defect.
   * @throws {CheckFailure} Where the statement does not hold.
   * @throws {CheckSkip} Where this host cannot show it.
   */
  run(host: CheckHost): CheckAnswer | Promise<CheckAnswer>;
}

/**
 * What a check came to. `timeout` did not end in its time, and counts as failed; `known` is a defect of the
 * kernel that docs/abi.md names, observed.
 */
export type CheckStatus = "pass" | "fail" | "timeout" | "skip" | "known";

/** What a run of a check came to. */
export interface CheckRun {
  /** In a word. */
  readonly status: CheckStatus;
  /** What was asked of a kernel that failed, what was waited for, why it was skipped, or what else is worth saying. */
  readonly detail: string | null;
  /** What is documented, where the check failed and can tell. */
  readonly expected: string | null;
  /** What was seen instead. */
  readonly seen: string | null;
  /** The option without which it was not made, though this host could show it; `null` otherwise. */
  readonly withheld: Permission | null;
  /** Whether it failed by an error of this program's own: that says nothing about the kernel. */
  readonly defect: boolean;
  /** What the kernel reported in its log meanwhile: the first lines of each report of a problem. */
  readonly reports: readonly (readonly string[])[];
  /** Milliseconds that it took. */
  readonly ms: number;
}

/** A check and what it came to. */
export interface CheckResult extends CheckRun {
  /** The statement's id. */
  readonly id: string;
  /** Its group. */
  readonly group: Group;
  /** The statement in a line. */
  readonly statement: string;
  /** Where the kernel promises it. */
  readonly source: string;
}

/**
 * Puts a check and its run together.
 *
 * @param check The check, without what asks the kernel.
 * @returns Both, in the order of the documentation.
 */
export function checkResult(
  check: Pick<CheckResult, "id" | "group" | "statement" | "source">,
  run: CheckRun,
): CheckResult {
  const { id, group, statement, source } = check;
  const { status, detail, expected, seen, withheld, defect, reports, ms } = run;
  const told = { status, detail, expected, seen, withheld, defect, reports };
  return { id, group, statement, ...told, source, ms };
}

/**
 * Whether a check counts as failed: one that did not end in its time does.
 *
 * @param result The check.
 * @param strict Whether a known defect does.
 */
export function hasFailed({ status }: CheckResult, strict: boolean): boolean {
  return status === "fail" || status === "timeout" || (strict && status === "known");
}
