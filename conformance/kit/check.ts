// What a check is, and what comes out of running one.
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
  /** The kernel source that promises it, one of the constants of `expect.ts`. */
  readonly source: string;
  /** `live` where a real kernel can be asked, `model` where only the model can show it. */
  readonly where: "live" | "model";
  /** Set where the check makes the kernel warn: the WARN_ON() is then not a failure. */
  readonly warns?: true;
  /**
   * Set where the check could harm a kernel that lacks a fix. It then runs last, and only with
   * `--allow-harm`.
   */
  readonly harms?: true;
  /**
   * Asks the kernel whether the statement holds.
   *
   * @param host The kernel and what is known about it. It owns the machines made with it, and
   * disposes them afterwards.
   * @returns Nothing or a remark where the statement holds; a {@linkcode Known} defect where the
   * kernel shows one.
   * @throws {CheckFailure} Where the statement does not hold.
   * @throws {CheckSkip} Where this host cannot show it.
   */
  run(host: CheckHost): CheckAnswer | Promise<CheckAnswer>;
}

/**
 * The outcome of a check. `timeout` did not end within its time limit, and counts as failed.
 * `known` means that a defect which docs/abi.md documents was observed.
 */
export type CheckStatus = "pass" | "fail" | "timeout" | "skip" | "known";

/** The outcome of one run of a check. */
export interface CheckRun {
  /** The outcome in a word. */
  readonly status: CheckStatus;
  /**
   * For a failure the question that was asked, for a timeout what it waited for, for a skip the
   * reason, otherwise a remark; `null` where there is nothing to say.
   */
  readonly detail: string | null;
  /** What is documented; `null` unless the check failed and compared values. */
  readonly expected: string | null;
  /** What was seen instead; `null` as for {@linkcode CheckRun.expected}. */
  readonly seen: string | null;
  /** The option that would have allowed the check on this host; `null` where none is missing. */
  readonly withheld: Permission | null;
  /** Whether it failed through a bug in dirtyring, which says nothing about the kernel. */
  readonly defect: boolean;
  /** Problems that the kernel reported in its log meanwhile: the first lines of each report. */
  readonly reports: readonly (readonly string[])[];
  /** Duration in milliseconds. */
  readonly ms: number;
}

/** A check and its outcome. */
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
 * Combines a check and its run.
 *
 * @returns The fields in the order in which docs/results.md lists them.
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
 * Whether a check counts as failed. A timeout does.
 *
 * @param strict Whether a known defect counts as failed, too.
 */
export function hasFailed({ status }: CheckResult, strict: boolean): boolean {
  return status === "fail" || status === "timeout" || (strict && status === "known");
}
