import { median, quantile } from "./median.ts";

/** What a ratio shall be. */
export interface Target {
  /** The most that it may be. */
  readonly most: number;
  /** The target in words. */
  readonly text: string;
}

/**
 * Two things measured in turns, A, B, A, B, so that both meet the same noise. Only their ratio is a
 * result: times of one run say little about the next, on a machine that is shared.
 */
export class Pair {
  readonly #what: string;
  readonly #target: Target | null;
  readonly #ours: number[] = [];
  readonly #reference: number[] = [];

  /**
   * Nothing measured yet.
   *
   * @param what What is measured.
   * @param target What the ratio shall be, if anything is asked of it.
   */
  constructor(what: string, target: Target | null = null) {
    this.#what = what;
    this.#target = target;
  }

  /**
   * Adds a turn.
   *
   * @param ours Nanoseconds of dirtyring.
   * @param reference Nanoseconds of what it is held against.
   */
  add(ours: number, reference: number): void {
    this.#ours.push(ours);
    this.#reference.push(reference);
  }

  /** The ratio of the two medians: above 1 where dirtyring took longer. */
  get ratio(): number {
    return median(this.#ours) / median(this.#reference);
  }

  /**
   * The result in a line: the ratio, the middle half of the ratios of single turns, both medians,
   * and the number of turns.
   *
   * @returns The line.
   */
  line(): string {
    const turns = this.#ours.map((ours, n) => ours / this.#reference[n]!);
    const [low, high] = [quantile(turns, 0.25), quantile(turns, 0.75)];
    const medians = `${duration(median(this.#ours))} to ${duration(median(this.#reference))}`;
    return [
      `  ${this.#what.padEnd(38)} ${this.ratio.toFixed(2).padStart(5)}`,
      `(${low.toFixed(2)}–${high.toFixed(2)})`,
      `${medians.padEnd(20)} ${turns.length} turns${this.#verdict()}`,
    ].join("  ");
  }

  #verdict(): string {
    if (this.#target === null) return "";
    const met = this.ratio <= this.#target.most ? "met" : "MISSED";
    return `  ${this.#target.text}: ${met}`;
  }
}

function duration(ns: number): string {
  if (ns < 1e4) return `${ns.toFixed(0)} ns`;
  return ns < 1e7 ? `${(ns / 1e3).toFixed(1)} µs` : `${(ns / 1e6).toFixed(1)} ms`;
}

/**
 * Nanoseconds since a moment.
 *
 * @param started The moment, as `performance.now()` answered it.
 * @returns Nanoseconds.
 */
export function since(started: number): number {
  return (performance.now() - started) * 1e6;
}
