// Progress of a command in a machine of `--kernel`: it is told on the machine's standard error, in
// lines that nothing else can print, and shown on this host's terminal, by this host's clock.
import type { BegunStep, WorkProgress } from "../host/progress.ts";
import { flag, list, number, orNull, record, saidIn, type Shape, text } from "../vm/console.ts";
import type { ProgressView } from "./progress.ts";

/**
 * What such a line begins with: a record separator, which every other line has escaped
 * (cli/printing.ts).
 */
const MARK = "\x1e";
/** Milliseconds between two such lines: a serial line is slow. */
const EVERY_MS = 500;

/** A step as a line tells it. */
interface ToldStep {
  readonly what: string;
  readonly total: number | null;
  readonly unit: string | null;
  readonly isSteady: boolean;
  readonly done: number;
}

const TOLD: Shape<{ readonly steps: readonly ToldStep[] }> = record<
  { readonly steps: readonly ToldStep[] }
>({
  steps: list(
    record<ToldStep>({
      what: text,
      total: orNull(number),
      unit: orNull(text),
      isSteady: flag,
      done: number,
    }),
  ),
});

/**
 * Tells the host of the machine's progress.
 *
 * @param send Prints a line on standard error as it is.
 */
export function guestView(send: (line: string) => void): ProgressView {
  let isTold = false;
  const tell = (steps: readonly ToldStep[]) => {
    isTold = steps.length > 0;
    send(`${MARK}${JSON.stringify({ steps })}`);
  };
  return {
    everyMs: EVERY_MS,
    show: (steps) => tell(steps.map(toldOf)),
    clear: () => isTold && tell([]),
  };
}

function toldOf({ step }: BegunStep): ToldStep {
  const { what, total, unit = null, isSteady = true } = step;
  let done = 0;
  try {
    done = step.done();
  } catch {
    // A VM that is dead cannot say it; its error comes by another way.
  }
  return { what, total, unit, isSteady, done };
}

/** The steps of a command in a machine, as steps of this program's work. */
export class GuestSteps implements Disposable {
  readonly #progress: WorkProgress;
  #begun: { told: ToldStep; readonly step: Disposable }[] = [];

  /** Begins without a step. */
  constructor(progress: WorkProgress) {
    this.#progress = progress;
  }

  /** How many steps the command is in. */
  get count(): number {
    return this.#begun.length;
  }

  /**
   * Takes a line of the machine's standard error.
   *
   * @returns Whether it tells of progress, and so must not be printed.
   * @throws {FrameError} If it begins as such a line, and is none: the machine is broken.
   */
  take(line: string): boolean {
    if (!line.startsWith(MARK)) return false;
    const { steps } = saidIn(line.slice(MARK.length), TOLD);
    const same = this.#begun.findIndex(({ told }, n) => told.what !== steps[n]?.what);
    if (same !== -1) this.#end(same);
    steps.forEach((told, n) => {
      const begun = this.#begun[n];
      if (begun === undefined) this.#begin(told);
      else begun.told = told;
    });
    return true;
  }

  #begin(told: ToldStep): void {
    const { what, total, unit, isSteady } = told;
    const done = () => begun.told.done;
    const counted = unit === null ? {} : { unit };
    const step = this.#progress.begin({ what, total, ...counted, isSteady, done });
    const begun = { told, step };
    this.#begun.push(begun);
  }

  #end(from: number): void {
    for (const { step } of this.#begun.splice(from)) step[Symbol.dispose]();
  }

  /** Ends its steps. */
  [Symbol.dispose](): void {
    this.#end(0);
  }
}
