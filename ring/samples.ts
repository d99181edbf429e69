// Some of a stream of values, spread evenly over it.

/** How many values are kept at most. */
const MOST = 512;

/**
 * Keeps some values of a stream in the order in which they came, spread evenly over all of it, in
 * memory that does not grow: every value at first; once there are 512, every second one, then every
 * fourth, and so on.
 *
 * @example
 * ```ts
 * import { Samples } from "./samples.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const times = new Samples();
 * for (let n = 0; n < 2048; n++) times.add(n);
 * assertEquals([times.values.length, times.values.slice(0, 3)], [512, [0, 4, 8]]);
 * ```
 */
export class Samples {
  #values: number[] = [];
  #step = 1;
  #count = 0;

  /** The values that are kept. */
  get values(): readonly number[] {
    return this.#values;
  }

  /** Adds a value, which may be left out. */
  add(value: number): void {
    if (this.#count++ % this.#step !== 0) return;
    if (this.#values.length === MOST) {
      this.#values = this.#values.filter((_, n) => n % 2 === 0);
      this.#step *= 2;
      // The count of values so far is a multiple of the new step.
    }
    this.#values.push(value);
  }
}
