// Runs fuzz programs on a real kernel and on the model, repeats and shrinks a mismatch, and
// reports.
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

/** Options of {@linkcode fuzz}. */
export interface FuzzOptions {
  /** The number of programs. */
  readonly programs: number;
  /**
   * The random seed. It gives the same programs on all hosts with PML, and the same on all hosts
   * without.
   */
  readonly seed: number;
}

/** How often a program that differed is run again, to tell whether it always differs. */
const REPEATED = 3;
/**
 * The most candidates tried to shrink a program whose KVM_RUN does not end. Each of them takes two
 * seconds on a real kernel.
 */
const ENDLESS_TRIALS = 60;

/**
 * Runs random programs of kernel calls on a real kernel and on the model, and compares answers,
 * rings and memory call by call, up to the first mismatch, which is shrunk.
 *
 * @param model The model to compare with.
 * @param interrupt Ends it early, with a result of what was compared so far.
 * @throws {HostError} Where a kernel has no usable KVM, or no dirty ring.
 * @throws {KernelError} Where a kernel fails a call that is not part of a program.
 */
export async function fuzz(
  real: Kernel,
  model: Kernel,
  { programs, seed }: FuzzOptions,
  interrupt: InterruptWatch,
): Promise<FuzzResult> {
  using pair = new Pair(real, model, interrupt);
  let n = 0;
  using _step = interrupt.progress?.begin({
    what: "comparing",
    unit: "programs",
    total: programs,
    done: () => n,
  });
  for (; n < programs && pair.goesOn; n++) {
    await pair.run(generateProgram(seed, n, pair.smallestRing), n);
    await interrupt.pause();
  }
  return pair.result(programs, seed);
}

/**
 * Runs one program on a real kernel and on the model, for example one that an earlier mismatch
 * printed.
 *
 * @param model The model to compare with.
 * @returns As for {@linkcode fuzz}; the program is shrunk further where possible.
 * @throws {HostError} Where a kernel has no usable KVM, or no dirty ring.
 * @throws {KernelError} Where a kernel fails a call that is not part of a program.
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

  // Runs a program on both kernels. There is no difference where an interrupt cut a run short.
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
      // Interrupted before it was known whether the difference is more than chance.
      if (again === 0 && repeated < REPEATED) return;
      if (again === 0 && first.wasPushedAgain) {
        this.#allowances["push.once-until-reset"]++;
        this.#endedEarly++;
      } else {
        const { difference } = first;
        const shrunk = again === 0 ? program : await this.#shrink(program, difference);
        // A difference that comes and goes may be absent from this run.
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

  // Runs a program again and counts how often it differs. There are fewer runs where a signal
  // comes.
  async #repeat(program: FuzzProgram): Promise<Pick<FuzzMismatch, "again" | "repeated">> {
    let again = 0;
    for (let repeated = 0; repeated < REPEATED; repeated++) {
      const { difference } = await this.#compare(program);
      if (this.#interrupt.signal !== null) return { again, repeated };
      if (difference !== null) again++;
    }
    return { again, repeated: REPEATED };
  }

  async #shrink(
    program: FuzzProgram,
    { step, part, seen, expected }: FuzzDifference,
  ): Promise<FuzzProgram> {
    let tried = 0;
    using _step = this.#interrupt.progress?.begin({
      what: "shrinking the one that differs",
      unit: "tries",
      total: null,
      done: () => tried,
    });
    const kind = program.ops[step - 1]?.do;
    const isEndless = seen.answer === ENDLESS || expected.answer === ENDLESS;
    const stillDoes = async (candidate: FuzzProgram) => {
      tried++;
      await this.#interrupt.pause();
      if (this.#interrupt.signal !== null) return false;
      const { difference } = await this.#compare(candidate);
      return difference !== null && difference.part === part &&
        candidate.ops[difference.step - 1]?.do === kind;
    };
    return await shrinkProgram(program, stillDoes, isEndless ? ENDLESS_TRIALS : undefined);
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

/** A program on which the real kernel and the model differ. */
export interface FuzzMismatch extends FuzzDifference {
  /** The program's number under the seed; 0 for a program from a file. */
  readonly number: number;
  /** In how many of the {@linkcode FuzzMismatch.repeated} further runs it differed again. */
  readonly again: number;
  /** The number of further runs. */
  readonly repeated: number;
  /** The program as it was generated. */
  readonly program: FuzzProgram;
  /**
   * The shortest program found that still differs; `answers`, `step`, `expected` and `seen` are of
   * its run.
   */
  readonly shrunk: FuzzProgram;
}

/** The result of `dirtyring fuzz`. */
export interface FuzzResult {
  /** The name and version of this format. */
  readonly schema: "dirtyring.fuzz/1";
  /** The real kernel. */
  readonly kernel: KernelFacts;
  /** The model that it was compared with. */
  readonly model: KernelFacts;
  /** The random seed; `null` for a program from a file. */
  readonly seed: number | null;
  /** The number of programs asked for. */
  readonly planned: number;
  /** The number of programs run on both kernels. */
  readonly programs: number;
  /** The number of operations whose answers were compared. */
  readonly calls: number;
  /** The number of entries compared: those that an operation changed. */
  readonly entries: number;
  /** How often each allowance was used. */
  readonly allowances: Readonly<Record<FuzzAllowance, number>>;
  /** The number of programs that were compared only up to an allowance. */
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
  /** The name and version of this format. */
  readonly schema: "dirtyring.fuzz-kernels/1";
}

/**
 * Combines the results of the same programs on several kernels.
 *
 * @param runs One for each kernel, in the order of the command line.
 */
export function fuzzKernels(
  runs: readonly UnlabelledRun<Watched<FuzzResult>>[],
  interrupted: InterruptSignal | null,
): FuzzKernels {
  return { schema: "dirtyring.fuzz-kernels/1", ...kernelRuns(runs, interrupted) };
}
