// `dirtyring check` on one kernel, from the plan to the report.
import type { Naming } from "../../ffi/errors.ts";
import type { Kernel, TraceOrder } from "../../ffi/kernel.ts";
import { seeded } from "../../guest/pattern.ts";
import { type KernelFacts, kernelFacts } from "../../host/facts.ts";
import { Interrupt } from "../../host/interrupt.ts";
import { KernelLog, type KernelLogFacts } from "../../host/kernel_log.ts";
import { largestRing, System } from "../../kvm/system.ts";
import type { CheckResult } from "../kit/check.ts";
import { type CheckReport, countGroups, summarise, type TimeLimit } from "./check_report.ts";
import { setupArguments } from "./child_process.ts";
import { StepBoard } from "./step_board.ts";
import { type PlannedCheck, supervise } from "./supervisor.ts";

/** Options of `dirtyring check`. */
export interface ConformanceOptions {
  /**
   * The model in the syntax of the command line; `undefined` for the latest. Ignored on a real
   * kernel.
   */
  readonly model: string | undefined;
  /** Whether checks that make the kernel warn may run. */
  readonly allowWarn: boolean;
  /** Whether checks that could harm a kernel may run. */
  readonly allowHarm: boolean;
  /** Whether every kernel call is printed on stderr. */
  readonly trace: TraceOrder | null;
  /** The time limit of a run, in milliseconds; `null` to derive it from this host's speed. */
  readonly timeoutMs: number | null;
  /** How the text of a result names the option for that limit. */
  readonly naming: Naming;
  /** How often each check is run. */
  readonly repeat: number;
  /** The seed of a random order; `undefined` keeps the order of the plan. */
  readonly seed: number | undefined;
  /** Whether a known defect counts as failed. */
  readonly strict: boolean;
}

/** Follows the checks as they run. Methods that return a boolean return false to stop them. */
export interface Watcher {
  /** Called before the first check. */
  begin(kernel: KernelFacts, log: KernelLogFacts | null): boolean;
  /** Called when a run of a check begins. */
  check?(id: string): void;
  /** Called when a check has ended. */
  result(result: CheckResult): boolean;
  /**
   * Listens for the signals that end the checks, and shows how far they are. Absent if the results
   * are shown as they come; signals are then listened for all the same.
   *
   * @param tell Called when a signal arrives.
   */
  listen?(tell: () => void): Promise<Interrupt>;
}

/**
 * Runs checks on a kernel, in a child process.
 *
 * @param kernel The kernel under test. The child opens one of the same kind.
 * @param plan The checks, in the order of docs/abi.md.
 * @returns The report. It is incomplete after an interrupt, or where the watcher stopped the
 * checks.
 * @throws {HostError} Where the host has no usable KVM or no dirty ring, or no child can be
 * started.
 */
export async function conformance(
  kernel: Kernel,
  plan: readonly PlannedCheck[],
  options: ConformanceOptions,
  watcher: Watcher,
): Promise<CheckReport> {
  using log = new KernelLog(kernel);
  const facts = factsOf(kernel);
  const calledOff = new AbortController();
  const tell = () => calledOff.abort();
  using interrupt = await watcher.listen?.(tell) ?? new Interrupt(tell);
  const checks: CheckResult[] = [];
  let now: string | null = null;
  using _step = interrupt.progress.begin({
    get what() {
      return now === null ? "checking" : `checking ${now}`;
    },
    unit: "checks",
    total: plan.length,
    // Some wait for what the kernel does seldom.
    isSteady: false,
    done: () => checks.length,
  });
  const { seed, repeat, strict, timeoutMs, naming, trace } = options;
  let limit: TimeLimit | null = null;
  if (watcher.begin(facts, log.facts)) {
    // A trace shows the steps anyway.
    using board = trace === null ? StepBoard.create(kernel) : null;
    const steps = board?.path ?? null;
    const results = supervise(seed === undefined ? plan : shuffle(plan, seed), {
      module: new URL("../../check_child.ts", import.meta.url),
      args: setupArguments({ ...options, backend: kernel.backend, steps }),
      isTraced: trace?.file === null,
      timeoutMs,
      naming,
      told: (told) => limit = told,
      began(id) {
        now = id;
        watcher.check?.(id);
      },
      board,
      log,
      repeat,
      abort: calledOff.signal,
    });
    for await (const result of results) {
      checks.push(result);
      if (!watcher.result(result)) break;
    }
  }
  return {
    schema: "dirtyring.check/1",
    kernel: facts,
    kernelLog: log.facts,
    complete: checks.length === plan.length && !calledOff.signal.aborted,
    interrupted: interrupt.signal,
    strict,
    seed: seed ?? null,
    repeat,
    limit,
    planned: countGroups(plan),
    checks,
    summary: summarise(checks),
  };
}

function factsOf(kernel: Kernel): KernelFacts {
  using system = System.open(kernel);
  return kernelFacts(kernel, largestRing(system));
}

/**
 * Returns a list in a random order (Fisher and Yates).
 *
 * @param seed The same seed gives the same order.
 * @returns A new list.
 */
export function shuffle<One>(list: readonly One[], seed: number): One[] {
  const random = seeded(seed);
  const shuffled = [...list];
  for (let n = shuffled.length - 1; n > 0; n--) {
    const other = random(n + 1);
    [shuffled[n], shuffled[other]] = [shuffled[other]!, shuffled[n]!];
  }
  return shuffled;
}
