// How far long work is: the work counts, and who shows it looks.

/**
 * A step of long work. The work pays nothing for it but what it counts anyway: whoever shows it
 * asks {@linkcode WorkStep.done} some times a second, in a turn of the event loop that the work
 * gives, and so never while something is measured.
 */
export interface WorkStep {
  /** What is done, such as `checking memory`. */
  readonly what: string;
  /** How much there is to do; `null` if nobody knows. */
  readonly total: number | null;
  /** What is counted, in the plural. Without it the share of the total is told. */
  readonly unit?: string;
  /**
   * Whether all parts take about as long, so that the time of those that are done tells that of the
   * rest; true unless given.
   */
  readonly isSteady?: boolean;
  /** How much is done, from 0 to the total. */
  done(): number;
}

/** A step that has begun. */
export interface BegunStep {
  /** The step. */
  readonly step: WorkStep;
  /** When it began, by `performance.now()`. */
  readonly began: number;
  /** When somebody looked and saw more done than before, and how much; 0 at first. */
  seen: { readonly done: number; readonly at: number };
}

/**
 * The steps that long work is in, each within the one before it.
 *
 * @example
 * ```ts
 * import { WorkProgress } from "./progress.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const progress = new WorkProgress();
 * let page = 0;
 * {
 *   using _ = progress.begin({ what: "checking memory", total: 100, done: () => page });
 *   page = 40;
 *   assertEquals(progress.steps.map(({ step }) => step.done()), [40]);
 * }
 * assertEquals(progress.steps, []);
 * ```
 */
export class WorkProgress {
  #steps: readonly BegunStep[] = [];
  /** Whether somebody looks. */
  isShown = false;

  /** The steps, the outermost first. */
  get steps(): readonly BegunStep[] {
    return this.#steps;
  }

  /**
   * Begins a step within those that have begun.
   *
   * @returns Ends the step when it is disposed of, wherever it stands.
   */
  begin(step: WorkStep): Disposable {
    const began = performance.now();
    const begun = { step, began, seen: { done: 0, at: began } };
    this.#steps = [...this.#steps, begun];
    return { [Symbol.dispose]: () => this.#steps = this.#steps.filter((one) => one !== begun) };
  }
}
