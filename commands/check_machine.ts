import { type CheckReport, countGroups, summarise } from "../checks/check_report.ts";
import type { CheckResult } from "../checks/check_result.ts";
import type { PlannedCheck } from "../checks/supervisor.ts";
import type { KernelFacts } from "../lab/host.ts";
import type { Interrupt } from "../lab/interrupt.ts";
import type { Machine } from "../vm/machine.ts";
import type { PreparedMachine } from "../vm/prepare.ts";
import { VmFailure } from "../vm/vm_failure.ts";
import { endStatus, LineReader, machineFor } from "./in_machine.ts";
import { interruptStatus } from "./interrupt_status.ts";
import type { Lanes } from "./lanes.ts";
import { MachineFiles } from "./machine_files.ts";
import { withoutOptions } from "./vm_options.ts";

/** Who sees what a kernel answers before the end. */
export interface CheckWatcher {
  /** The kernel has booted. */
  booted(facts: KernelFacts): void;
  /** A check has ended, in the order of the plan. Answers whether more is wanted. */
  result(result: CheckResult): boolean;
  /** A line of the command's standard error. */
  say(line: string): void;
}

/** What a kernel answered. */
export interface CheckedKernel {
  /** What its checks came to, also where not all of them were made; `null` where none was. */
  readonly report: CheckReport | null;
  /** The exit status of the command in its machine; 125 where that failed. */
  readonly status: number;
  /** Why the machine failed, or `null`. */
  readonly failure: VmFailure | null;
}

/** What `check` is to be asked of a kernel. */
export interface CheckQuestion {
  /** The checks, in their order. */
  readonly plan: readonly PlannedCheck[];
  /** The command line, as it was given. */
  readonly args: readonly string[];
  /** Machines run in these. */
  readonly lanes: Lanes;
  /** Machines that run now: an interrupt is for all of them. */
  readonly running: Set<Machine>;
  /** The interrupt: after it no other machine is started. */
  readonly interrupt: Pick<Interrupt, "signal">;
}

/** What a machine is told in another way. */
const FORMAT = ["format", "output"];
/** What one check alone has no use for. */
const CHOOSING = ["only", "skip", "seed"];
/** What the status means to git is this side's affair, and what may harm a kernel has a machine of its own. */
const NOT_THERE = ["--bisect", "--allow-warn", "--allow-harm"];

interface Told {
  /** All of the report but its checks; `null` where the command came to no end. */
  readonly rest: Omit<CheckReport, "checks"> | null;
  readonly status: number;
  readonly failure: VmFailure | null;
}

/**
 * Asks a kernel, in a machine of its own. What makes a kernel warn, or could harm it, is asked as well, in one more
 * machine for each: it is thrown away.
 *
 * @param prepared The machine's parts.
 * @param question What is asked.
 * @param watcher Sees what there is before the end.
 * @returns What it answered.
 * @throws {HostError} Where there is no emulator, or this kernel has no KVM.
 */
export async function checkMachine(
  prepared: PreparedMachine,
  question: CheckQuestion,
  watcher: CheckWatcher,
): Promise<CheckedKernel> {
  const { args, lanes } = question;
  let facts: KernelFacts | null = null;
  const checks: CheckResult[] = [];
  let last = Promise.resolve();
  let isWanted = true;
  // Results come out in their order, those of other machines in the place of what was withheld here.
  const take = (result: CheckResult): boolean => {
    const before = last;
    const asked = result.withheld === null
      ? Promise.resolve(result)
      : lanes.run(() => askAlone(prepared, question, result, watcher));
    // Its failure is told below, when it is its turn.
    asked.catch(() => {});
    last = (async () => {
      await before;
      const answer = await asked;
      if (answer === null || !isWanted) return;
      checks.push(answer);
      isWanted = watcher.result(answer);
    })();
    last.catch(() => {});
    return isWanted;
  };
  const { rest, status, failure } = await lanes.run(() =>
    ask(prepared, question, guestArgs(args, FORMAT), {
      booted(found) {
        facts = found;
        watcher.booted(found);
      },
      result: take,
      say: watcher.say,
    })
  );
  await last;
  if (facts === null || (rest === null && failure === null)) {
    return { report: null, status, failure };
  }
  return { report: wholeReport(facts, question, checks, rest), status, failure };
}

function guestArgs(args: readonly string[], without: readonly string[]): string[] {
  const rest = withoutOptions(args, without).filter((arg) => !NOT_THERE.includes(arg));
  return [...rest, "--format", "ndjson"];
}

// Runs a command that prints a check a line, and at last the rest of its report.
async function ask(
  prepared: PreparedMachine,
  { running, interrupt }: CheckQuestion,
  args: readonly string[],
  watcher: CheckWatcher,
): Promise<Told> {
  if (interrupt.signal !== null) {
    return { rest: null, status: interruptStatus(interrupt.signal), failure: null };
  }
  let rest: Told["rest"] = null;
  let isWanted = true;
  const out = new LineReader((line) => {
    // Written by `check --format ndjson` of this same version.
    const value = JSON.parse(line);
    if ("schema" in value) rest = value;
    else isWanted = watcher.result(value);
  });
  const errors = new LineReader(watcher.say);
  const machine = machineFor(prepared, { args, columns: null, files: new MachineFiles() }, {
    booted: watcher.booted,
    stdout(bytes) {
      out.add(bytes);
      return isWanted;
    },
    stderr(bytes) {
      errors.add(bytes);
      return true;
    },
  });
  running.add(machine);
  try {
    const end = await machine.run();
    return { rest, status: endStatus(end), failure: null };
  } catch (error) {
    if (!(error instanceof VmFailure)) throw error;
    return { rest, status: NO_ANSWER, failure: error };
  } finally {
    errors.end();
    running.delete(machine);
  }
}

const NO_ANSWER = 125;

// A check that may cost the machine: null where an interrupt left it without an answer.
async function askAlone(
  prepared: PreparedMachine,
  question: CheckQuestion,
  withheld: CheckResult,
  watcher: CheckWatcher,
): Promise<CheckResult | null> {
  const args = guestArgs(question.args, [...FORMAT, ...CHOOSING]);
  let answer: CheckResult | null = null;
  const told = await ask(
    prepared,
    question,
    [...args, "--only", withheld.id, `--${withheld.withheld}`],
    {
      booted: () => {},
      result(result) {
        answer = result;
        return true;
      },
      say: watcher.say,
    },
  );
  if (answer !== null || told.failure === null) return answer;
  const { message, console: last } = told.failure;
  return {
    ...withheld,
    status: "fail",
    withheld: null,
    detail: message,
    reports: [last.slice(-8)],
  };
}

// The report of the machine, with what was asked in others; one that did not come to its end has no more than its checks.
function wholeReport(
  kernel: KernelFacts,
  { plan, interrupt: { signal } }: CheckQuestion,
  checks: readonly CheckResult[],
  rest: Told["rest"],
): CheckReport {
  const made = { checks, summary: summarise(checks) };
  if (rest !== null) {
    const complete = rest.complete && checks.length === plan.length;
    return {
      ...rest,
      ...made,
      complete,
      interrupted: rest.interrupted ?? (complete ? null : signal),
    };
  }
  return {
    ...{ schema: "dirtyring.check/1", kernel, kernelLog: null, complete: false, interrupted: null },
    ...{ strict: false, seed: null, repeat: 1, limit: null, planned: countGroups(plan), ...made },
  };
}
