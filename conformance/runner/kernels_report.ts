// The report of `dirtyring check` on several kernels, and how their answers differ.
import type { InterruptSignal } from "../../host/interrupt.ts";
import {
  type KernelRun,
  type KernelRuns,
  kernelRuns,
  type UnlabelledRun,
} from "../../host/kernel_run.ts";
import type { CheckResult, CheckStatus, Group } from "../kit/check.ts";
import type { CheckReport } from "./check_report.ts";

/** A statement whose check has different outcomes on different kernels. */
export interface DifferingStatement {
  /** The statement's id. */
  readonly id: string;
  /** Its group. */
  readonly group: Group;
  /** The statement in a line. */
  readonly statement: string;
  /** The outcome on each kernel, in their order; `null` where the check was not run. */
  readonly answers: readonly (CheckStatus | null)[];
}

/** `dirtyring check` on several kernels. */
export interface KernelsReport extends KernelRuns<CheckReport> {
  /** The name and version of this format. */
  readonly schema: "dirtyring.check-kernels/1";
  /** The statements with different outcomes, in the order of docs/abi.md. */
  readonly differing: readonly DifferingStatement[];
  /** Whether every planned check was run on every kernel. */
  readonly complete: boolean;
}

/**
 * Compares the outcomes of checks on several kernels.
 *
 * @param runs One for each kernel, in the order of the command line.
 * @param order The ids of the checks, in the order of docs/abi.md.
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
 * Finds the statements whose outcome differs. Only the status counts, not the reason for a skip,
 * for example. A missing check counts as a difference only where its kernel's report is complete:
 * in a report that ended early it says nothing about the kernel.
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
