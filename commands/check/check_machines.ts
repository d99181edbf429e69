// `dirtyring check --kernel`: one kernel, or several at the same time.

import type { Context } from "../../cli/context.ts";
import { interruptAll, Lanes } from "../../cli/compare_machines.ts";
import { EndedElsewhere, MachineSteps } from "../../cli/in_machine.ts";
import type { MachineRequest } from "../../cli/machine_request.ts";
import type { CheckReport } from "../../conformance/runner/check_report.ts";
import type { Watcher } from "../../conformance/runner/conformance.ts";
import { type KernelsReport, kernelsReport } from "../../conformance/runner/kernels_report.ts";
import type { PlannedCheck } from "../../conformance/runner/supervisor.ts";
import { HostError } from "../../ffi/errors.ts";
import type { Interrupt } from "../../host/interrupt.ts";
import type { UnlabelledRun } from "../../host/kernel_run.ts";
import { countText } from "../../report/table.ts";
import type { Machine } from "../../vm/machine.ts";
import { type MachineChoice, type PreparedMachine, prepareMachine } from "../../vm/prepare.ts";
import { type CheckedKernel, checkMachine, type CheckQuestion } from "./check_machine.ts";
import { reportStatus } from "./command.ts";

/**
 * Makes the checks on the kernel of `--kernel`.
 *
 * @param request The machine and the command line.
 * @param plan The checks, in their order.
 * @param watcher Is told what there is before the end.
 * @throws {VmFailure} If the machine did not get to its end.
 * @throws {EndedElsewhere} If the command in the machine has no result, and has said why.
 * @throws {KernelFileError} If the kernel, or its modules, cannot be found.
 * @throws {HostError} If there is no emulator, or this kernel has no KVM.
 */
export async function checkKernel(
  request: MachineRequest,
  plan: readonly PlannedCheck[],
  watcher: Watcher,
  context: Context,
): Promise<CheckReport> {
  const prepared = await prepareMachine(request.choices[0]!);
  const running = new Set<Machine>();
  using interrupt = await interruptAll(running, context);
  using boot = new MachineSteps(interrupt.progress, prepared, "check");
  const question = questionOf(request, plan, running, interrupt);
  let made = 0;
  const checking = { what: "checking", unit: "checks", total: plan.length, done: () => made };
  using steps = new DisposableStack();
  const { report, status, failure } = await checkMachine(prepared, question, {
    booted(facts) {
      boot.end();
      if (watcher.listen !== undefined) steps.use(interrupt.progress.begin(checking));
      watcher.begin(facts, null);
    },
    result(result) {
      made++;
      return watcher.result(result);
    },
    say: context.say,
  });
  if (failure !== null) throw failure;
  if (report === null) throw new EndedElsewhere(status);
  return report;
}

/**
 * Makes the checks on several kernels, as many at a time as there are processors.
 *
 * @param request The machines and the command line.
 * @param plan The checks, in their order.
 * @throws {KernelFileError} If a kernel, or its modules, cannot be found.
 * @throws {HostError} If there is no emulator for one of them.
 */
export async function checkKernels(
  request: MachineRequest,
  plan: readonly PlannedCheck[],
  context: Context,
): Promise<KernelsReport> {
  const prepared: PreparedMachine[] = [];
  for (const choice of request.choices) prepared.push(await prepareMachine(choice));
  const running = new Set<Machine>();
  using interrupt = await interruptAll(running, context);
  const question = questionOf(request, plan, running, interrupt);
  const made = prepared.map(() => 0);
  using _step = interrupt.progress.begin({
    what: `checking ${countText(prepared.length, "kernel")}`,
    unit: "checks",
    total: plan.length * prepared.length,
    done: () => made.reduce((sum, count) => sum + count, 0),
  });
  const runs = await Promise.all(prepared.map(async (machine, n) => {
    const said: string[] = [];
    const outcome = await outcomeOf(machine, question, {
      count() {
        made[n]!++;
      },
      said,
    });
    return kernelRun(request.choices[n]!, outcome, said);
  }));
  return kernelsReport(runs, plan.map(({ id }) => id), interrupt.signal);
}

interface Seen {
  readonly count: () => void;
  readonly said: string[];
}

// A kernel without KVM counts as an answer here: the other kernels go on.
async function outcomeOf(
  machine: PreparedMachine,
  question: CheckQuestion,
  { count, said }: Seen,
): Promise<CheckedKernel> {
  try {
    return await checkMachine(machine, question, {
      booted: () => {},
      result() {
        count();
        return true;
      },
      say: (line) => void said.push(line),
    });
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    said.push(error.message);
    return { report: null, status: 4, failure: null };
  }
}

function kernelRun(
  { kernel, settings }: MachineChoice,
  { report, status, failure }: CheckedKernel,
  said: readonly string[],
): UnlabelledRun<CheckReport> {
  const last = said.at(-1)?.replace(/^dirtyring: /, "") ?? null;
  return {
    kernel,
    kernelArgs: settings.kernelArgs,
    cpu: settings.cpu,
    report,
    // The report also has what was checked in other machines, so its own status counts.
    status: failure === null && report !== null ? reportStatus(report) : status,
    problem: failure?.message ?? (report === null ? last : null),
    console: failure?.console ?? [],
  };
}

function questionOf(
  { args, host }: MachineRequest,
  plan: readonly PlannedCheck[],
  running: Set<Machine>,
  interrupt: Interrupt,
): CheckQuestion {
  const lanes = new Lanes(Math.max(1, navigator.hardwareConcurrency));
  return { plan, args, host, lanes, running, interrupt };
}
