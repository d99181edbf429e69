import type { Naming } from "../../ffi/errors.ts";
import type { Kernel } from "../../ffi/kernel.ts";
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

/** How `dirtyring check` makes its checks. */
export interface ConformanceOptions {
  /** The model as it was written; `undefined` is the latest, and not looked at on a real kernel. */
  readonly model: string | undefined;
  /** Whether checks that make the kernel warn may run. */
  readonly allowWarn: boolean;
  /** Whether checks that could harm a kernel may run. */
  readonly allowHarm: boolean;
  /** Whether every kernel call is shown on stderr. */
  readonly trace: boolean;
  /** The longest that a run of a check may take, in milliseconds; `null` for what suits this host's speed. */
  readonly timeoutMs: number | null;
  /** How a result's text calls that time. */
  readonly naming: Naming;
  /** How often each check is made. */
  readonly repeat: number;
  /** The seed of the order; `undefined` leaves the checks in theirs. */
  readonly seed: number | undefined;
  /** Whether a known defect counts as failed. */
  readonly strict: boolean;
}

/** Who wants to see what there is before the end. Each answers whether it wants to see more. */
export interface Watcher {
  /** The checks begin. */
  begin(kernel: KernelFacts, log: KernelLogFacts | null): boolean;
  /** A run of a check begins. */
  check?(id: string): void;
  /** A check has ended. */
  result(result: CheckResult): boolean;
}

/**
 * Makes checks on a kernel, in a process of their own.
 *
 * @param kernel The kernel that answers: the child opens one like it.
 * @param plan The checks, in the order of docs/abi.md.
 * @param options How they are made.
 * @param watcher Sees what there is before the end.
 * @returns What they came to; incomplete after an interrupt, or where the watcher has seen enough.
 * @throws {HostError} Where the host has no usable KVM, no dirty ring, or no child can be started.
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
  using interrupt = new Interrupt(() => calledOff.abort());
  const checks: CheckResult[] = [];
  const { seed, repeat, strict, timeoutMs, naming, trace } = options;
  let limit: TimeLimit | null = null;
  if (watcher.begin(facts, log.facts)) {
    // A trace shows the steps.
    using board = trace ? null : StepBoard.create(kernel);
    const steps = board?.path ?? null;
    const results = supervise(seed === undefined ? plan : shuffle(plan, seed), {
      module: new URL("../../check_child.ts", import.meta.url),
      args: setupArguments({ ...options, backend: kernel.backend, steps }),
      isTraced: trace,
      timeoutMs,
      naming,
      told: (told) => limit = told,
      began: (id) => watcher.check?.(id),
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
 * A list in a random order (Fisher and Yates).
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
