import { HostError, type Naming } from "../../ffi/errors.ts";
import type { KernelLog, KernelReport } from "../../host/kernel_log.ts";
import { type CheckResult, checkResult, type CheckRun, type CheckStatus } from "../kit/check.ts";
import type { GroupedCheck } from "../statements/all_checks.ts";
import { givenLimit, limitText, measuredLimit, type TimeLimit } from "./check_report.ts";
import { type ChildAnswer, ChildProcess, type Ending, until } from "./child_process.ts";
import { type StepBoard, stepText } from "./step_board.ts";

/** How checks are made in a process of their own. */
export interface Supervision {
  /** The child's program; it serves checks as {@linkcode import("./run_check.ts")} does. */
  readonly module: URL;
  /** Its arguments. */
  readonly args: readonly string[];
  /** Whether what it says on stderr is to be seen as it comes. */
  readonly isTraced: boolean;
  /** The longest that a run of a check may take, in milliseconds; `null` for what suits this host's speed. */
  readonly timeoutMs: number | null;
  /** How a result's text calls that time; by its name unless given. */
  readonly naming?: Naming;
  /** The longest that measuring that may take, in milliseconds. */
  readonly paceMs?: number;
  /** Is told the limit that holds, before the first check. */
  readonly told?: (limit: TimeLimit) => void;
  /** Is told the id of each check, as a run of it begins. */
  readonly began?: (id: string) => void;
  /** Where the child notes its steps; `null` where it does not. */
  readonly board: StepBoard | null;
  /** Tells what the kernel reported since it was last asked. */
  readonly log: Pick<KernelLog, "take">;
  /** How often each check is made. */
  readonly repeat: number;
  /** Calls the rest off; the child is ended at once. */
  readonly abort: AbortSignal;
}

/** A check as its parent knows it. */
export type PlannedCheck = Pick<
  GroupedCheck,
  "id" | "group" | "statement" | "source" | "warns" | "harms"
>;

/** Of a run that no child told of. */
const NOTHING = { expected: null, seen: null, withheld: null, defect: false, reports: [] } as const;

/** An interrupt at a terminal reaches the child too, and may be seen there first: the longest before. */
const INTERRUPT_MS = 500;

/** The longest that measuring the host may take: milliseconds where all is well, a second where it is slow. */
const PACE_MS = 60_000;

/**
 * Makes checks in a child process, one after another. A check that does not end in time is out of time, one that
 * ends its process fails; a new child goes on with the rest.
 *
 * @param supervision How they are made.
 * @returns What each came to, as it ends; fewer than planned where the rest was called off, or where after a failed one
 * no child can be started any more. No child is left, however it ends.
 * @throws {HostError} Where no child can be started, or the host cannot be used at all, and none has failed before.
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
        // What the kernel says of the child's end belongs to the last check.
        if (n === plan.length - 1 && runs.length === supervision.repeat - 1) await desk.close();
        const judged = judgeReports(run, supervision.log.take(), check.warns ?? false);
        isBroken ||= isFailure(judged);
        runs.push(judged);
      }
      const [first, ...more] = runs;
      // Runs that were called off tell something only where one failed.
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

/** Keeps the child that is asked, and a new one where the last has gone. */
class Desk {
  readonly #supervision: Supervision;
  #child: ChildProcess | null = null;
  #limit: TimeLimit;

  constructor(supervision: Supervision) {
    this.#supervision = supervision;
    const { timeoutMs } = supervision;
    this.#limit = timeoutMs === null ? measuredLimit(null) : givenLimit(timeoutMs);
  }

  /** Finds out how long checks may take; answers false where it was called off. */
  async begin(): Promise<boolean> {
    const { module, args, isTraced, timeoutMs, paceMs = PACE_MS, abort, told } = this.#supervision;
    if (timeoutMs === null) {
      this.#child = await ChildProcess.start(module, args, isTraced, abort);
      const pace = await this.#child?.pace(paceMs, abort) ?? null;
      if (this.#child === null || pace === "aborted") return false;
      // A kernel that hangs here, or ends the child, will do so in a check, which tells what it did then.
      if (pace === "late") {
        await this.clear();
        // No less than what was not enough to measure it.
        this.#limit = { ...this.#limit, ms: Math.max(this.#limit.ms, paceMs) };
      } else if (pace !== null && "text" in pace) await this.clear();
      else this.#limit = measuredLimit(pace);
    }
    told?.(this.#limit);
    return true;
  }

  /** A run of a check; `null` where it was called off. */
  async make(id: string): Promise<CheckRun | null> {
    const { module, args, isTraced, abort, board } = this.#supervision;
    this.#child ??= await ChildProcess.start(module, args, isTraced, abort);
    if (this.#child === null) return null;
    this.#supervision.began?.(id);
    board?.clear();
    const began = performance.now();
    const answer = await this.#child.ask(id, this.#limit.ms, abort);
    if (typeof answer === "object" && "status" in answer) return answer;
    // Before it is killed: a call that it was in may return then.
    const doing = board === null ? "" : `: ${stepText(board.step)}`;
    const lost = await this.#lost(answer, doing);
    if (lost === null) return null;
    const ms = Math.round((performance.now() - began) * 1000) / 1000;
    return { ...NOTHING, ...lost, ms };
  }

  /** The same on a kernel that failed a check: it may be what keeps a child from beginning. */
  async tryToMake(id: string): Promise<CheckRun | HostError | null> {
    try {
      return await this.make(id);
    } catch (error) {
      if (error instanceof HostError) return error;
      throw error;
    }
  }

  // What became of a child that does not go on; null where it was called off.
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

  /** Lets the child leave. */
  async close(): Promise<void> {
    await this.#child?.leave();
  }

  /** Ends the child, if there is one. */
  async clear(): Promise<void> {
    await this.#child?.kill();
    this.#child = null;
  }
}

/** Reports of the kernel that are kept of all runs. */
const MOST_REPORTS_OF_ALL = 8;

const WORDS: Readonly<Record<CheckStatus, string>> = {
  fail: "failed",
  timeout: "out of time",
  known: "observed",
  pass: "passed",
  skip: "skipped",
};

/**
 * What several runs of a check come to: failed if one failed, otherwise out of time if one was, known if one was,
 * skipped if all were.
 *
 * @param runs The runs, at least one.
 * @returns One run, which took as long as all of them.
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

/** Reports that are kept of a run. */
const MOST_REPORTS_OF_A_RUN = 4;

/**
 * Adds to a run what the kernel reported meanwhile: a problem that it found in itself is a failure, whatever the
 * check saw, but for the warning of a statement that makes it warn.
 *
 * @param warns Whether the check makes the kernel warn.
 * @returns The run, failed where a report is not the check's own.
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
