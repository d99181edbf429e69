// Runs checks in a child process, enforces the time limit, and judges what the kernel's log says
// meanwhile.
import { HostError, type Naming } from "../../ffi/errors.ts";
import type { KernelLog, KernelReport } from "../../host/kernel_log.ts";
import { type CheckResult, checkResult, type CheckRun, type CheckStatus } from "../kit/check.ts";
import type { GroupedCheck } from "../statements/all_checks.ts";
import { givenLimit, limitText, measuredLimit, type TimeLimit } from "./check_report.ts";
import { type ChildAnswer, ChildProcess, type Ending, until } from "./child_process.ts";
import { type StepBoard, stepText } from "./step_board.ts";

/** Options of {@linkcode supervise}. */
export interface Supervision {
  /** The child's program, which calls {@linkcode import("./run_check.ts").serveChecks}. */
  readonly module: URL;
  /** The child's arguments. */
  readonly args: readonly string[];
  /** Whether the child's stderr is passed on as it comes. */
  readonly isTraced: boolean;
  /** The time limit of a run, in milliseconds; `null` to derive it from this host's speed. */
  readonly timeoutMs: number | null;
  /** How the text of a result names the option for that limit; by default its plain name. */
  readonly naming?: Naming;
  /** The longest that measuring this host's speed may take, in milliseconds. */
  readonly paceMs?: number;
  /** Called with the limit in force, before the first check. */
  readonly told?: (limit: TimeLimit) => void;
  /** Called with the id of a check when a run of it begins. */
  readonly began?: (id: string) => void;
  /** The board on which the child notes its steps, or `null`. */
  readonly board: StepBoard | null;
  /** Source of the kernel's reports since the last call. */
  readonly log: Pick<KernelLog, "take">;
  /** How often each check is run. */
  readonly repeat: number;
  /** Cancels all remaining checks and kills the child at once. */
  readonly abort: AbortSignal;
}

/** What the parent needs to know about a check. */
export type PlannedCheck = Pick<
  GroupedCheck,
  "id" | "group" | "statement" | "source" | "warns" | "harms"
>;

/** The fields of a run that no child reported. */
const NOTHING = { expected: null, seen: null, withheld: null, defect: false, reports: [] } as const;

/**
 * An interrupt at a terminal reaches the child too, and may end it first. This is the longest to
 * wait for this process to see the same interrupt.
 */
const INTERRUPT_MS = 500;

/**
 * The longest that measuring the host may take. Usually it takes milliseconds, on a slow host a
 * second.
 */
const PACE_MS = 60_000;

/**
 * Runs checks in a child process, one after another. A check that exceeds the time limit is a
 * timeout; a check that ends its process has failed. A new child continues with the rest.
 *
 * @returns The result of each check as it ends. There are fewer than planned where the rest was
 * cancelled, or where no child could be started after a failure. No child is left running in any
 * case.
 * @throws {HostError} Where no child can be started or the host cannot be used at all, unless a
 * check has failed before.
 */
export async function* supervise(
  plan: readonly PlannedCheck[],
  supervision: Supervision,
): AsyncGenerator<CheckResult> {
  const desk = new Desk(supervision);
  let isBroken = false;
  try {
    if (!await desk.begin()) return;
    for (const [n, check] of plan.entries()) {
      const runs: CheckRun[] = [];
      let gone: HostError | null = null;
      while (runs.length < supervision.repeat) {
        const run = await (isBroken ? desk.tryToMake(check.id) : desk.make(check.id));
        if (run instanceof HostError) gone = run;
        if (run === null || run instanceof HostError) break;
        // Reports that the kernel makes when the child ends belong to the last check.
        if (n === plan.length - 1 && runs.length === supervision.repeat - 1) await desk.close();
        const judged = judgeReports(run, supervision.log.take(), check.warns ?? false);
        isBroken ||= isFailure(judged);
        runs.push(judged);
      }
      const [first, ...more] = runs;
      // After a cancellation, the runs made so far are a result only if one of them failed.
      const isWhole = runs.length === supervision.repeat;
      if (first !== undefined && (isWhole || runs.some(isFailure))) {
        yield checkResult(check, combineRuns([first, ...more]));
      } else if (gone !== null) {
        yield checkResult(check, { ...NOTHING, status: "skip", detail: gone.what, ms: 0 });
      }
      if (!isWhole) return;
    }
  } finally {
    await desk.clear();
  }
}

function isFailure({ status }: CheckRun): boolean {
  return status === "fail" || status === "timeout";
}

/** Keeps a child running: starts one when needed, and another after one has ended. */
class Desk {
  readonly #supervision: Supervision;
  #child: ChildProcess | null = null;
  #limit: TimeLimit;

  constructor(supervision: Supervision) {
    this.#supervision = supervision;
    const { timeoutMs } = supervision;
    this.#limit = timeoutMs === null ? measuredLimit(null) : givenLimit(timeoutMs);
  }

  /** Determines the time limit. Returns false where it was cancelled. */
  async begin(): Promise<boolean> {
    const { module, args, isTraced, timeoutMs, paceMs = PACE_MS, abort, told } = this.#supervision;
    if (timeoutMs === null) {
      this.#child = await ChildProcess.start(module, args, isTraced, abort);
      const pace = await this.#child?.pace(paceMs, abort) ?? null;
      if (this.#child === null || pace === "aborted") return false;
      // If the kernel hangs here or ends the child, it will do so again in a check, which reports
      // it.
      if (pace === "late") {
        await this.clear();
        // At least the time that was too short for the measurement.
        this.#limit = { ...this.#limit, ms: Math.max(this.#limit.ms, paceMs) };
      } else if (pace !== null && "text" in pace) await this.clear();
      else this.#limit = measuredLimit(pace);
    }
    told?.(this.#limit);
    return true;
  }

  /** Runs a check once; `null` where it was cancelled. */
  async make(id: string): Promise<CheckRun | null> {
    const { module, args, isTraced, abort, board } = this.#supervision;
    this.#child ??= await ChildProcess.start(module, args, isTraced, abort);
    if (this.#child === null) return null;
    this.#supervision.began?.(id);
    board?.clear();
    const began = performance.now();
    const answer = await this.#child.ask(id, this.#limit.ms, abort);
    if (typeof answer === "object" && "status" in answer) return answer;
    // Read the board before the child is killed: the call that hangs may return then.
    const doing = board === null ? "" : `: ${stepText(board.step)}`;
    const lost = await this.#lost(answer, doing);
    if (lost === null) return null;
    const ms = Math.round((performance.now() - began) * 1000) / 1000;
    return { ...NOTHING, ...lost, ms };
  }

  /**
   * Like {@linkcode Desk.make}, after a check has failed: the broken kernel may be why a child does
   * not start, so that error is returned.
   */
  async tryToMake(id: string): Promise<CheckRun | HostError | null> {
    try {
      return await this.make(id);
    } catch (error) {
      if (error instanceof HostError) return error;
      throw error;
    }
  }

  // Describes a child that gave no result; `null` where the run was cancelled.
  async #lost(
    answer: Exclude<ChildAnswer, CheckRun>,
    doing: string,
  ): Promise<Pick<CheckRun, "status" | "detail"> | null> {
    const { pid } = this.#child!;
    const isGone = await this.#child!.kill();
    this.#child = null;
    if (answer === "aborted") return null;
    if (answer !== "late") {
      return await this.#isInterrupt(answer) ? null : { status: "fail", detail: answer.text };
    }
    const left = isGone ? "" : `; its process ${pid} cannot be killed`;
    const detail = `did not end within ${limitText(this.#limit)}${doing}${left}; ` +
      `${(this.#supervision.naming ?? ((value) => value))("timeout")} TIME sets another limit`;
    return { status: "timeout", detail };
  }

  async #isInterrupt({ signal }: Ending): Promise<boolean> {
    if (signal !== "SIGINT" && signal !== "SIGTERM" && signal !== "SIGHUP") return false;
    const nothing = new Promise<void>(() => {});
    return await until(nothing, INTERRUPT_MS, this.#supervision.abort) === "aborted";
  }

  /** Lets the child exit by itself. */
  async close(): Promise<void> {
    await this.#child?.leave();
  }

  /** Kills the child, if there is one. */
  async clear(): Promise<void> {
    await this.#child?.kill();
    this.#child = null;
  }
}

/** The most kernel reports that are kept for all runs of a check. */
const MOST_REPORTS_OF_ALL = 8;

const WORDS: Readonly<Record<CheckStatus, string>> = {
  fail: "failed",
  timeout: "out of time",
  known: "observed",
  pass: "passed",
  skip: "skipped",
};

/**
 * Combines several runs of a check. The status is the first of `fail`, `timeout`, `known` and
 * `pass` that any run has; `skip` only where all were skipped.
 *
 * @param runs At least one run.
 * @returns One run, whose duration is the sum of all.
 */
export function combineRuns(runs: readonly [CheckRun, ...CheckRun[]]): CheckRun {
  if (runs.length === 1) return runs[0];
  const worst = (["fail", "timeout", "known", "pass"] as const).find((status) =>
    runs.some((run) => run.status === status)
  );
  const ms = Math.round(runs.reduce((all, run) => all + run.ms, 0) * 1000) / 1000;
  const of = runs.filter(({ status }) => status === worst);
  const first = of[0];
  if (first === undefined) return { ...runs[0], ms };
  const counted = `${WORDS[first.status]} in ${of.length} of ${runs.length} runs`;
  const detail = first.detail === null ? counted : `${counted}: ${first.detail}`;
  const reports = runs.flatMap((run) => run.reports).slice(0, MOST_REPORTS_OF_ALL);
  return { ...first, detail, reports, ms };
}

/** The most kernel reports that are kept for one run. */
const MOST_REPORTS_OF_A_RUN = 4;

/**
 * Adds to a run what the kernel reported meanwhile. Any report makes the run a failure, whatever
 * the check saw, except a warning in a check that makes the kernel warn.
 *
 * @param warns Whether the check makes the kernel warn.
 * @returns The run, failed where a report is not one that the check provokes.
 */
export function judgeReports(
  run: CheckRun,
  reports: readonly KernelReport[],
  warns: boolean,
): CheckRun {
  if (reports.length === 0) return run;
  const told = {
    ...run,
    reports: reports.slice(0, MOST_REPORTS_OF_A_RUN).map(({ lines }) => lines),
  };
  const foreign = reports.find(({ isWarning }) => !(warns && isWarning));
  if (foreign === undefined || run.status === "fail" || run.status === "timeout") return told;
  const otherwise = `otherwise ${run.status}${run.detail === null ? "" : `, ${run.detail}`}`;
  const detail = `the kernel reported: ${foreign.lines[0]}; ${otherwise}`;
  return { ...told, status: "fail", detail, defect: false };
}
