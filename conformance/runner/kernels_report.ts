import type { InterruptSignal } from "../../host/interrupt.ts";
import {
  type KernelRun,
  type KernelRuns,
  kernelRuns,
  type UnlabelledRun,
} from "../../host/kernel_run.ts";
import type { CheckResult, CheckStatus, Group } from "../kit/check.ts";
import type { CheckReport } from "./check_report.ts";

/** A statement that not all kernels answer in the same way. */
export interface DifferingStatement {
  /** The statement's id. */
  readonly id: string;
  /** Its group. */
  readonly group: Group;
  /** The statement in a line. */
  readonly statement: string;
  /** What it came to on each kernel, in their order; `null` where it was not made. */
  readonly answers: readonly (CheckStatus | null)[];
}

/** `dirtyring check` on several kernels. */
export interface KernelsReport extends KernelRuns<CheckReport> {
  /** What it is. */
  readonly schema: "dirtyring.check-kernels/1";
  /** The statements whose answer differs, in the order of docs/abi.md. */
  readonly differing: readonly DifferingStatement[];
  /** Whether every check that was to be made was made on every kernel. */
  readonly complete: boolean;
}

/**
 * Holds what checks came to on several kernels against each other.
 *
 * @param runs The kernels, as they were given.
 * @param order The ids of the checks, in the order of docs/abi.md.
 * @param interrupted The signal that ended it early, or `null`.
 */
export function kernelsReport(
  runs: readonly UnlabelledRun<CheckReport>[],
  order: readonly string[],
  interrupted: InterruptSignal | null,
): KernelsReport {
  const { kernels, ok } = kernelRuns(runs, interrupted);
  return {
    schema: "dirtyring.check-kernels/1",
    kernels,
    differing: compareKernels(kernels, order),
    complete: kernels.every(({ report }) => report?.complete ?? false),
    interrupted,
    ok,
  };
}

/**
 * Finds the statements whose answer differs. Answers differ by their status alone: why something was skipped is no
 * difference. A check that is missing is one where its kernel's report is complete; where that ended early it says
 * nothing of the kernel.
 *
 * @param order The ids of the checks, in the order of docs/abi.md; others come last.
 * @returns The statements, in that order.
 */
export function compareKernels(
  kernels: readonly Pick<KernelRun<CheckReport>, "report">[],
  order: readonly string[],
): DifferingStatement[] {
  const found = kernels.map(({ report }) =>
    new Map(report?.checks.map((check) => [check.id, check]) ?? [])
  );
  const ids = new Set([...order, ...found.flatMap((checks) => [...checks.keys()])]);
  return [...ids].flatMap((id) => {
    const checks = found.map((one) => one.get(id) ?? null);
    const isAnswer = (_: unknown, n: number) =>
      checks[n] !== null || (kernels[n]!.report?.complete ?? false);
    const answers = checks.map((check) => check?.status ?? null);
    const first = checks.find((check) => check !== null);
    if (first === undefined || new Set(answers.filter(isAnswer)).size < 2) return [];
    return [differing(first!, answers)];
  });
}

function differing(
  { id, group, statement }: CheckResult,
  answers: DifferingStatement["answers"],
): DifferingStatement {
  return { id, group, statement, answers };
}
