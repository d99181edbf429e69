import { HostError } from "../ffi/errors.ts";
import { quantile } from "../ring/distribution.ts";

/** What a ratio shall be: no greater than a bound for times, no less than one for rates. */
export type Target =
  & ({ readonly most: number } | { readonly least: number })
  & {
    /** The target in words. */
    readonly text: string;
  };

/**
 * Two things measured in turns, A, B, A, B, so that both meet the same noise. Only their ratio is a
 * result: times of one run say little about the next, on a machine that is shared.
 */
export class Pair {
  readonly #what: string;
  readonly #target: Target | null;
  readonly #format: (value: number) => string;
  readonly #ours: number[] = [];
  readonly #reference: number[] = [];

  /**
   * Nothing measured yet.
   *
   * @param what What is measured.
   * @param target What the ratio shall be, if anything is asked of it.
   * @param format Writes a value; a time in nanoseconds unless given.
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
   * @param ours What dirtyring took: nanoseconds, or a rate.
   * @param reference What it is held against took.
   */
  add(ours: number, reference: number): void {
    this.#ours.push(ours);
    this.#reference.push(reference);
  }

  /** Turns so far. */
  get turns(): number {
    return this.#ours.length;
  }

  /** The ratio of the two medians: of times above 1, of rates below 1 where dirtyring was slower. */
  get ratio(): number {
    return quantile(this.#ours, 0.5) / quantile(this.#reference, 0.5);
  }

  /**
   * The result in a line: the ratio, the middle half of the ratios of single turns, both medians,
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

/** A measurement cannot be made here: the message says why. */
export class Skip extends Error {
  /**
   * A measurement that is left out.
   *
   * @param why What is missing.
   */
  constructor(why: string) {
    super(why);
    this.name = "Skip";
  }
}

/**
 * Makes measurements that belong together, or says that they are skipped and why. Only what a host
 * lacks is a reason: any other failure is one of the program, and passes.
 *
 * @param what What is measured.
 * @param measure Measures and prints.
 */
export async function orSkip(what: string, measure: () => void | Promise<void>): Promise<void> {
  try {
    await measure();
  } catch (error) {
    if (!(error instanceof Skip || error instanceof HostError)) throw error;
    console.log(`${what}: skipped: ${error.message}`);
  }
}
