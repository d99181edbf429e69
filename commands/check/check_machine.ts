// `dirtyring check` on a kernel that is booted in a machine of its own.
import { interruptStatus } from "../../cli/command.ts";
import type { Lanes } from "../../cli/compare_machines.ts";
import { withoutOptions } from "../../cli/global_options.ts";
import { endStatus, LineReader, machineFor } from "../../cli/in_machine.ts";
import { MachineFiles } from "../../cli/machine_files.ts";
import { WRITING } from "../../cli/machine_request.ts";
import { type CheckResult, checkResult, type CheckRun } from "../../conformance/kit/check.ts";
import { type CheckReport, countGroups, summarise } from "../../conformance/runner/check_report.ts";
import type { PlannedCheck } from "../../conformance/runner/supervisor.ts";
import { EXIT } from "../../host/errors.ts";
import type { KernelFacts } from "../../host/facts.ts";
import type { Interrupt, InterruptSignal } from "../../host/interrupt.ts";
import { printable } from "../../text/printable.ts";
import {
  count,
  flag,
  KERNEL_FACTS,
  list,
  number,
  orNull,
  record,
  saidIn,
  type Shape,
  text,
  word,
} from "../../vm/console.ts";
import { FrameError } from "../../vm/frames.ts";
import type { HostOrigin } from "../../vm/guest_request.ts";
import type { Machine } from "../../vm/machine.ts";
import type { PreparedMachine } from "../../vm/prepare.ts";
import { VmFailure } from "../../vm/vm_failure.ts";

/** Is told what a kernel answers, as it happens. */
export interface CheckWatcher {
  /** The kernel has booted. */
  booted(facts: KernelFacts): void;
  /** A check has ended; checks come in the order of the plan. Returns whether more are wanted. */
  result(result: CheckResult): boolean;
  /** The command has written a line to its standard error. */
  say(line: string): void;
}

/** What a kernel answered. */
export interface CheckedKernel {
  /** The report, even if not all checks were made; `null` if none was made. */
  readonly report: CheckReport | null;
  /** The exit status of the command in its machine; 125 if the machine failed. */
  readonly status: number;
  /** Why the machine failed, or `null`. */
  readonly failure: VmFailure | null;
}

/** What to ask a kernel. */
export interface CheckQuestion {
  /** The checks, in their order. */
  readonly plan: readonly PlannedCheck[];
  /** The command line, as it was given. */
  readonly args: readonly string[];
  /** What results tell of this side. */
  readonly host: HostOrigin;
  /** Limits how many machines run at a time. */
  readonly lanes: Lanes;
  /** The machines that are running: an interrupt goes to all of them. */
  readonly running: Set<Machine>;
  /** The interrupt; after it no further machine is started. */
  readonly interrupt: Pick<Interrupt, "signal">;
}

/** Options that make no sense for a single check. */
const CHOOSING = ["only", "skip", "seed"];
/** What git is told is decided here, what a check may do by its machine. */
const NOT_THERE = ["--bisect", "--allow-warn", "--allow-harm"];
/** How many lines of the console are shown if a check cost the machine. */
const LAST_LINES = 8;

interface Told {
  /** All of the report except its checks; `null` if the command did not get to its end. */
  readonly rest: ReportRest | null;
  readonly status: number;
  readonly failure: VmFailure | null;
}

/**
 * Checks a kernel in a machine of its own. Checks that could harm the kernel come last there,
 * because the machine is thrown away afterwards. Checks that make the kernel warn get another
 * machine each, because a tainted kernel is not the kernel that was to be checked.
 *
 * @param prepared The machine's parts.
 * @param watcher Is told what there is before the end.
 * @throws {HostError} If there is no emulator, or this kernel has no KVM.
 */
export async function checkMachine(
  prepared: PreparedMachine,
  question: CheckQuestion,
  watcher: CheckWatcher,
): Promise<CheckedKernel> {
  const { args, lanes, plan } = question;
  let facts: KernelFacts | null = null;
  const checks: CheckResult[] = [];
  let isWanted = true;
  // In a shuffled order no check can come last.
  const isShuffled = args.some((arg) => arg === "--seed" || arg.startsWith("--seed="));
  const order = isShuffled ? [] : plan.map(({ id }) => id);
  const results = new InOrder<CheckResult>(order, (answer) => {
    if (!isWanted) return;
    checks.push(answer);
    isWanted = watcher.result(answer);
  });
  const made = new Set<string>();
  const told = await lanes.run(() =>
    ask(
      prepared,
      question,
      [...guestArgs(args, [...WRITING, "expect"]), ...(isShuffled ? [] : ["--allow-harm"])],
      {
        booted(found) {
          facts = found;
          watcher.booted(found);
        },
        result(result) {
          made.add(result.id);
          results.add(
            result.id,
            result.withheld === null
              ? Promise.resolve(result)
              : lanes.run(() => askAlone(prepared, question, result, watcher)),
          );
          return isWanted;
        },
        say: watcher.say,
      },
    )
  );
  const { rest, status } = told;
  let { failure } = told;
  const missing = plan.filter(({ id }) => !made.has(id));
  if (failure !== null && missing.length > 0 && missing.every(({ harms }) => harms)) {
    const [check] = missing;
    results.add(check!.id, Promise.resolve(checkResult(check!, costly(failure))));
    failure = null;
  }
  await results.rest();
  const isKnown = rest !== null || failure !== null || checks.length === plan.length;
  if (facts === null || !isKnown) return { report: null, status, failure };
  return { report: wholeReport(facts, question, checks, rest), status, failure };
}

// A check that cost the machine.
function costly({ message, console: last }: VmFailure): CheckRun {
  return {
    status: "fail",
    detail: message,
    expected: null,
    seen: null,
    withheld: null,
    defect: false,
    reports: [last.slice(-LAST_LINES)],
    ms: 0,
  };
}

function guestArgs(args: readonly string[], without: readonly string[]): string[] {
  const rest = withoutOptions(args, without).filter((arg) => !NOT_THERE.includes(arg));
  return [...rest, "--times", "--format", "ndjson"];
}

// Runs a command that prints one check a line, and the rest of its report at the end.
async function ask(
  prepared: PreparedMachine,
  { running, interrupt, plan, host }: CheckQuestion,
  args: readonly string[],
  watcher: CheckWatcher,
): Promise<Told> {
  if (interrupt.signal !== null) {
    return { rest: null, status: interruptStatus(interrupt.signal), failure: null };
  }
  let rest: Told["rest"] = null;
  let isWanted = true;
  const planned = countGroups(plan);
  const out = new LineReader((line) => {
    const value = checkSaid(line, plan, planned);
    if ("schema" in value) rest = value;
    else isWanted = watcher.result(value);
  });
  const errors = new LineReader(watcher.say);
  const machine = machineFor(prepared, { args, host, files: new MachineFiles() }, {
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
    return { rest, status: EXIT.MACHINE, failure: error };
  } finally {
    errors.end();
    running.delete(machine);
  }
}

// Makes a check that may cost the machine; null if an interrupt left it without an answer.
async function askAlone(
  prepared: PreparedMachine,
  question: CheckQuestion,
  withheld: CheckResult,
  watcher: CheckWatcher,
): Promise<CheckResult | null> {
  const args = guestArgs(question.args, [...WRITING, "expect", ...CHOOSING]);
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
  return { ...withheld, ...costly(told.failure) };
}

// Puts together the machine's report and what was checked in other machines. If the command in the
// machine did not get to its end, the report has only its checks.
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
  const complete = checks.length === plan.length;
  return {
    schema: "dirtyring.check/1",
    kernel,
    kernelLog: null,
    complete,
    interrupted: null,
    strict: false,
    seed: null,
    repeat: 1,
    limit: null,
    planned: countGroups(plan),
    ...made,
  };
}

// Reading what `check --format ndjson` prints in a machine, line by line. Nothing of it is trusted:
// the kernel under test may have printed anything.

/** All of a report except its checks. */
export type ReportRest = Omit<CheckReport, "checks">;

const RUN = record<CheckRun & { readonly id: string }>({
  id: text,
  status: word("pass", "fail", "timeout", "skip", "known"),
  detail: orNull(text),
  expected: orNull(text),
  seen: orNull(text),
  withheld: orNull(word("allow-warn", "allow-harm")),
  defect: flag,
  reports: list(list(text)),
  ms: number,
});

const SUMMARY = record<CheckReport["summary"]>({
  pass: count(),
  fail: count(),
  timeout: count(),
  skip: count(),
  known: count(),
});

const REST = record<Omit<ReportRest, "planned">>({
  schema: word("dirtyring.check/1"),
  kernel: KERNEL_FACTS,
  kernelLog: orNull(
    record<NonNullable<CheckReport["kernelLog"]>>({
      read: flag,
      why: orNull(text),
      lost: count(),
    }),
  ),
  complete: flag,
  interrupted: orNull(word<InterruptSignal>("SIGINT", "SIGTERM", "SIGHUP")),
  strict: flag,
  seed: orNull(count()),
  repeat: count(),
  limit: orNull(
    record<NonNullable<CheckReport["limit"]>>({
      ms: number,
      given: flag,
      slowness: orNull(number),
    }),
  ),
  summary: SUMMARY,
});

const ANY: Shape<object> = record<object>({});

/**
 * Reads a line: the result of a check, or all of the report except its checks.
 *
 * @param plan The checks that were asked for.
 * @param planned The same, counted by group.
 * @returns One of the two. Facts about a check that the plan knows are taken from the plan.
 * @throws {FrameError} If it is neither, or the result of a check that was not asked for.
 */
export function checkSaid(
  line: string,
  plan: readonly PlannedCheck[],
  planned: CheckReport["planned"],
): CheckResult | ReportRest {
  if ("schema" in saidIn(line, ANY)) return { ...saidIn(line, REST), planned };
  const { id, ...run } = saidIn(line, RUN);
  const check = plan.find((one) => one.id === id);
  if (check !== undefined) return checkResult(check, run);
  throw new FrameError(`the machine answered a check that it was not asked: ${printable(id)}`);
}

/** Delivers things in a given order, each as soon as all things before it are there. */
export class InOrder<Thing> {
  readonly #order: string[];
  readonly #give: (thing: Thing) => void;
  readonly #held = new Map<string, Promise<Thing | null>>();
  #next = 0;
  #pumping: Promise<void> = Promise.resolve();

  /**
   * Starts empty.
   *
   * @param order Ids in the order of delivery. Ids that are not in it come after all others.
   * @param give Called with each thing in its turn.
   */
  constructor(order: readonly string[], give: (thing: Thing) => void) {
    this.#order = [...order];
    this.#give = give;
  }

  /**
   * Adds a thing.
   *
   * @param thing The thing, once it is known; `null` for none.
   */
  add(id: string, thing: Promise<Thing | null>): void {
    if (!this.#order.includes(id)) this.#order.push(id);
    // A rejection is reported when the thing's turn comes.
    thing.catch(() => {});
    this.#held.set(id, thing);
    this.#pump(false);
  }

  /**
   * Delivers what is left. No more may be added; missing things are skipped.
   *
   * @returns Resolves once everything is delivered.
   */
  rest(): Promise<void> {
    return this.#pump(true);
  }

  #pump(isAll: boolean): Promise<void> {
    const before = this.#pumping;
    this.#pumping = (async () => {
      await before;
      for (; this.#next < this.#order.length; this.#next++) {
        const held = this.#held.get(this.#order[this.#next]!);
        if (held === undefined && !isAll) return;
        const thing = await held ?? null;
        if (thing !== null) this.#give(thing);
      }
    })();
    this.#pumping.catch(() => {});
    return this.#pumping;
  }
}
