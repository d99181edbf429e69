import type { KernelFacts } from "../lab/host.ts";
import type { InterruptSignal } from "../lab/interrupt.ts";
import type { FuzzAllowance, FuzzDifference } from "./fuzz_compare.ts";
import type { FuzzProgram } from "./fuzz_program.ts";

/** A program that two kernels do not agree on. */
export interface FuzzMismatch extends FuzzDifference {
  /** The program's number under the seed; 0 for one that was read from a file. */
  readonly number: number;
  /** How often it differed again, of {@linkcode FuzzMismatch.repeated} more runs. */
  readonly again: number;
  /** More runs. */
  readonly repeated: number;
  /** The program as it was generated. */
  readonly program: FuzzProgram;
  /** The shortest that still differs: `answers`, `step`, `expected` and `seen` tell of its run. */
  readonly shrunk: FuzzProgram;
}

/** `dirtyring fuzz`: programs run on a real kernel and on the model. */
export interface FuzzResult {
  /** What it is. */
  readonly schema: "dirtyring.fuzz/1";
  /** The real kernel. */
  readonly kernel: KernelFacts;
  /** The kernel that it was held against. */
  readonly model: KernelFacts;
  /** The seed; `null` where the program was read from a file. */
  readonly seed: number | null;
  /** Programs asked for. */
  readonly planned: number;
  /** Programs run on both kernels. */
  readonly programs: number;
  /** Operations whose answers were compared. */
  readonly calls: number;
  /** Entries compared: those that an operation changed. */
  readonly entries: number;
  /** How often each allowance was used. */
  readonly allowances: Readonly<Record<FuzzAllowance, number>>;
  /** Programs that were compared only up to an allowance. */
  readonly endedEarly: number;
  /** The first mismatch, which ends the run; `null` where there is none. */
  readonly mismatch: FuzzMismatch | null;
  /** The signal that ended it early, or `null`. */
  readonly interrupted: InterruptSignal | null;
  /** Whether the kernels agree. */
  readonly ok: boolean;
}
