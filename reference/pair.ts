// Pairs of measurements and their ratios, and measurements that a host cannot make.
import { HostError } from "../ffi/errors.ts";
import { quantile } from "../ring/distribution.ts";

/** The target of a ratio: an upper bound for times, a lower bound for rates. */
export type Target =
  & ({ readonly most: number } | { readonly least: number })
  & {
    /** The target in words. */
    readonly text: string;
  };

/**
 * Two things that are measured in turns, A, B, A, B, so that both meet the same noise. Only their
 * ratio is a result, since on a shared machine the times of one run say little about the next.
 */
export class Pair {
  readonly #what: string;
  readonly #target: Target | null;
  readonly #format: (value: number) => string;
  readonly #ours: number[] = [];
  readonly #reference: number[] = [];

  /**
   * Creates a pair without turns.
   *
   * @param target The target of the ratio; `null` if there is none.
   * @param format Formats a value; as a time in nanoseconds unless given.
   */
  constructor(
    what: string,
    target: Target | null = null,
    format: (value: number) => string = duration,
  ) {
    this.#what = what;
    this.#target = target;
    this.#format = format;
  }

  /**
   * Adds a turn.
   *
   * @param ours The value of dirtyring: nanoseconds, or a rate.
   * @param reference The value of the reference, in the same unit.
   */
  add(ours: number, reference: number): void {
    this.#ours.push(ours);
    this.#reference.push(reference);
  }

  /** The number of turns so far. */
  get turns(): number {
    return this.#ours.length;
  }

  /**
   * The ratio of the two medians. If dirtyring was slower, it is above 1 for times, and below 1 for
   * rates.
   */
  get ratio(): number {
    return quantile(this.#ours, 0.5) / quantile(this.#reference, 0.5);
  }

  /**
   * The result in one line: the ratio, the quartiles of the ratios of single turns, both medians,
   * and the number of turns.
   */
  line(): string {
    const turns = this.#ours.map((ours, n) => ours / this.#reference[n]!);
    const [low, high] = [quantile(turns, 0.25), quantile(turns, 0.75)];
    const [ours, reference] = [quantile(this.#ours, 0.5), quantile(this.#reference, 0.5)];
    const medians = `${this.#format(ours)} to ${this.#format(reference)}`;
    return [
      `  ${this.#what.padEnd(38)} ${this.ratio.toFixed(2).padStart(5)}`,
      `(${low.toFixed(2)}–${high.toFixed(2)})`,
      `${medians.padEnd(20)} ${turns.length} turns${this.#verdict()}`,
    ].join("  ");
  }

  #verdict(): string {
    if (this.#target === null) return "";
    const { ratio } = this;
    const isMet = "most" in this.#target ? ratio <= this.#target.most : ratio >= this.#target.least;
    return `  ${this.#target.text}: ${isMet ? "met" : "MISSED"}`;
  }
}

function duration(ns: number): string {
  if (ns < 1e4) return `${ns.toFixed(0)} ns`;
  return ns < 1e7 ? `${(ns / 1e3).toFixed(1)} µs` : `${(ns / 1e6).toFixed(1)} ms`;
}

/** A measurement cannot be made here. The message says why. */
export class Skip extends Error {
  /**
   * Creates an error for a measurement that is skipped.
   *
   * @param why What is missing.
   */
  constructor(why: string) {
    super(why);
    this.name = "Skip";
  }
}

/**
 * Makes measurements that belong together, or prints that they are skipped and why. Only something
 * that the host lacks is a reason to skip: any other failure is an error of the program and is
 * thrown.
 */
export async function orSkip(what: string, measure: () => void | Promise<void>): Promise<void> {
  try {
    await measure();
  } catch (error) {
    if (!(error instanceof Skip || error instanceof HostError)) throw error;
    console.log(`${what}: skipped: ${error.message}`);
  }
}
