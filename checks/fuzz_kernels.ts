import type { InterruptSignal } from "../lab/interrupt.ts";
import type { Watched } from "../lab/kernel_log.ts";
import { type KernelRuns, kernelRuns, type UnlabelledRun } from "../lab/kernel_run.ts";
import type { FuzzResult } from "./fuzz_result.ts";

/** `dirtyring fuzz` on several kernels. */
export interface FuzzKernels extends KernelRuns<Watched<FuzzResult>> {
  /** What it is. */
  readonly schema: "dirtyring.fuzz-kernels/1";
}

/**
 * Puts what the same programs came to on several kernels beside each other.
 *
 * @param runs The kernels, as they were given.
 * @param interrupted The signal that ended it early, or `null`.
 * @returns All of it.
 */
export function fuzzKernels(
  runs: readonly UnlabelledRun<Watched<FuzzResult>>[],
  interrupted: InterruptSignal | null,
): FuzzKernels {
  return { schema: "dirtyring.fuzz-kernels/1", ...kernelRuns(runs, interrupted) };
}
