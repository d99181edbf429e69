import type { Kernel } from "../../ffi/kernel.ts";
import type { KernelFacts } from "../../host/facts.ts";
import type { InterruptSignal, InterruptWatch } from "../../host/interrupt.ts";
import type { Watched } from "../../host/kernel_log.ts";
import { type KernelRuns, kernelRuns, type UnlabelledRun } from "../../host/kernel_run.ts";
import {
  compareRuns,
  type FuzzAllowance,
  type FuzzComparison,
  type FuzzDifference,
  isPushedAgain,
} from "./compare.ts";
import { generateProgram } from "./generate.ts";
import { FuzzKernel } from "./kernel.ts";
import { runProgram } from "./machine.ts";
import type { FuzzProgram } from "./program.ts";
import { ENDLESS } from "./ring.ts";
import { shrinkProgram } from "./shrink.ts";

/** How many programs, and which. */
export interface FuzzOptions {
  /** Programs. */
  readonly programs: number;
  /** The seed: the same seed gives the same programs on every host with, and on every host without PML. */
  readonly seed: number;
}

/** Runs of a program that differed, to tell whether it does so always. */
const REPEATED = 3;
/** Programs that are tried at most to shrink one of no end: each is waited for, two seconds on a real kernel. */
const ENDLESS_TRIALS = 60;

/**
 * Runs random programs of kernel calls on a real kernel and on the model, and compares answers, rings and
 * memory call by call, up to the first mismatch, which is shrunk.
 *
 * @param model The kernel that it is held against.
 * @param options How many programs, and which.
 * @param interrupt Ends it early; what was compared so far is answered.
 * @returns What was compared, and the mismatch if there is one.
 * @throws {HostError} Where a kernel has no usable KVM, or no dirty ring.
 * @throws {KernelError} Where a kernel fails a call that no program is to see.
 */
export async function fuzz(
  real: Kernel,
  model: Kernel,
  { programs, seed }: FuzzOptions,
  interrupt: InterruptWatch,
): Promise<FuzzResult> {
  using pair = new Pair(real, model, interrupt);
  for (let n = 0; n < programs && pair.goesOn; n++) {
    await pair.run(generateProgram(seed, n, pair.smallestRing), n);
    await interrupt.pause();
  }
  return pair.result(programs, seed);
}

/**
 * Runs one program on a real kernel and on the model, such as a mismatch was printed as.
 *
 * @param model The kernel that it is held against.
 * @returns As {@linkcode fuzz}; the program is shrunk further where it can be.
 * @throws {HostError} Where a kernel has no usable KVM, or no dirty ring.
 * @throws {KernelError} Where a kernel fails a call that no program is to see.
 */
export async function replay(
  real: Kernel,
  model: Kernel,
  program: FuzzProgram,
  interrupt: InterruptWatch,
): Promise<FuzzResult> {
  using pair = new Pair(real, model, interrupt);
  await pair.run(program, 0);
  return pair.result(1, null);
}

// Two kernels, and what was compared so far.
class Pair implements Disposable {
  readonly #resources: DisposableStack;
  readonly #real: FuzzKernel;
  readonly #model: FuzzKernel;
  readonly #interrupt: InterruptWatch;
  readonly #allowances: Record<FuzzAllowance, number> = {
    "push.read-may-push": 0,
    "push.once-until-reset": 0,
    "mmap.exec": 0,
  };
  #programs = 0;
  #calls = 0;
  #entries = 0;
  #endedEarly = 0;
  #mismatch: FuzzMismatch | null = null;

  constructor(real: Kernel, model: Kernel, interrupt: InterruptWatch) {
    using resources = new DisposableStack();
    this.#real = resources.use(new FuzzKernel(real));
    this.#model = resources.use(new FuzzKernel(model));
    this.#interrupt = interrupt;
    this.#resources = resources.move();
  }

  /** Bytes of the smallest ring that the real kernel accepts. */
  get smallestRing(): number {
    return this.#real.smallestRing;
  }

  get goesOn(): boolean {
    return this.#mismatch === null && this.#interrupt.signal === null;
  }

  // An interrupted program tells nothing.
  async #compare(
    program: FuzzProgram,
  ): Promise<FuzzComparison & { readonly wasPushedAgain: boolean }> {
    const pause = async () => {
      await this.#interrupt.pause(true);
      return this.#interrupt.signal === null;
    };
    const seen = await runProgram(this.#real, program, pause);
    const comparison = compareRuns(program, seen, await runProgram(this.#model, program, pause));
    if (comparison.difference !== null) await pause();
    const { signal } = this.#interrupt;
    const difference = signal === null ? comparison.difference : null;
    const wasPushedAgain = difference !== null &&
      isPushedAgain(difference, seen.slice(0, difference.step));
    return { ...comparison, difference, wasPushedAgain };
  }

  async run(program: FuzzProgram, number: number): Promise<void> {
    const first = await this.#compare(program);
    if (this.#interrupt.signal !== null) return;
    if (first.difference !== null) {
      const { again, repeated } = await this.#repeat(program);
      // Called off before it was known whether the difference is more than a chance.
      if (again === 0 && repeated < REPEATED) return;
      if (again === 0 && first.wasPushedAgain) {
        this.#allowances["push.once-until-reset"]++;
        this.#endedEarly++;
      } else {
        const { difference } = first;
        const shrunk = again === 0 ? program : await this.#shrink(program, difference);
        // What does not differ each time may agree once more.
        const last = shrunk === program ? null : (await this.#compare(shrunk)).difference;
        this.#mismatch = {
          number,
          again,
          repeated,
          program,
          shrunk: last === null ? program : shrunk,
          ...(last ?? difference),
        };
      }
    }
    this.#programs++;
    this.#calls += first.steps - 1;
    this.#entries += first.entries;
    for (const name of first.allowances) this.#allowances[name]++;
    if (first.endedEarly) this.#endedEarly++;
  }

  // How often a program differs in some more runs: in fewer where a signal comes.
  async #repeat(program: FuzzProgram): Promise<Pick<FuzzMismatch, "again" | "repeated">> {
    let again = 0;
    for (let repeated = 0; repeated < REPEATED; repeated++) {
      const { difference } = await this.#compare(program);
      if (this.#interrupt.signal !== null) return { again, repeated };
      if (difference !== null) again++;
    }
    return { again, repeated: REPEATED };
  }

  #shrink(
    program: FuzzProgram,
    { step, part, seen, expected }: FuzzDifference,
  ): Promise<FuzzProgram> {
    const kind = program.ops[step - 1]?.do;
    const isEndless = seen.answer === ENDLESS || expected.answer === ENDLESS;
    const stillDoes = async (candidate: FuzzProgram) => {
      await this.#interrupt.pause();
      if (this.#interrupt.signal !== null) return false;
      const { difference } = await this.#compare(candidate);
      return difference !== null && difference.part === part &&
        candidate.ops[difference.step - 1]?.do === kind;
    };
    return shrinkProgram(program, stillDoes, isEndless ? ENDLESS_TRIALS : undefined);
  }

  result(planned: number, seed: number | null): FuzzResult {
    return {
      schema: "dirtyring.fuzz/1",
      kernel: this.#real.facts,
      model: this.#model.facts,
      seed,
      planned,
      programs: this.#programs,
      calls: this.#calls,
      entries: this.#entries,
      allowances: { ...this.#allowances },
      endedEarly: this.#endedEarly,
      mismatch: this.#mismatch,
      interrupted: this.#interrupt.signal,
      ok: this.#mismatch === null,
    };
  }

  [Symbol.dispose](): void {
    this.#resources.dispose();
  }
}

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
 */
export function fuzzKernels(
  runs: readonly UnlabelledRun<Watched<FuzzResult>>[],
  interrupted: InterruptSignal | null,
): FuzzKernels {
  return { schema: "dirtyring.fuzz-kernels/1", ...kernelRuns(runs, interrupted) };
}
