// Quantiles, of a stream of values and of a list.
/** The key figures of a distribution. */
export interface Quantiles {
  /** Values added. */
  readonly count: number;
  /** Their mean; `null` if there is no value. */
  readonly mean: number | null;
  /** The median: half of the values do not exceed it; `null` if there is no value. */
  readonly p50: number | null;
  /** The 99th percentile: 99 of 100 values do not exceed it; `null` if there is no value. */
  readonly p99: number | null;
  /** The greatest value; `null` if there is no value. */
  readonly max: number | null;
}

/** Buckets for each power of two: a quantile is at most 1/64 off. */
const STEPS = 64;
const STEP_BITS = 6;
/** Values below 2^48, which is three days in nanoseconds, have buckets of their own. */
const MOST = 2 ** 48;

/**
 * The distribution of non-negative integers, in memory that does not grow with their count: 64
 * buckets for each power of two. Count, mean and maximum are exact, and so are quantiles below 64.
 * A quantile from 64 on is the middle of its bucket, less than 1 % off.
 *
 * @example
 * ```ts
 * import { Distribution } from "./distribution.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const times = new Distribution();
 * for (let n = 1; n <= 50; n++) times.add(n);
 * assertEquals(times.quantiles(), { count: 50, mean: 25.5, p50: 25, p99: 50, max: 50 });
 * ```
 */
export class Distribution {
  readonly #buckets = new Float64Array(STEPS * (48 - STEP_BITS + 1));
  #count = 0;
  #sum = 0;
  #max = 0;

  /** Values added. */
  get count(): number {
    return this.#count;
  }

  /** Their sum. */
  get sum(): number {
    return this.#sum;
  }

  /**
   * Adds a value.
   *
   * @param value A non-negative integer.
   */
  add(value: number): void {
    this.#count++;
    this.#sum += value;
    if (value > this.#max) this.#max = value;
    this.#buckets[bucketOf(Math.min(value, MOST - 1))]!++;
  }

  /**
   * A quantile: the least value that the given share of all values does not exceed.
   *
   * @param share The share, from 0 to 1.
   * @returns The quantile, or `null` if there is no value.
   */
  quantile(share: number): number | null {
    if (this.#count === 0) return null;
    const wanted = Math.max(1, Math.ceil(share * this.#count));
    let seen = 0;
    for (let n = 0; n < this.#buckets.length; n++) {
      seen += this.#buckets[n]!;
      if (seen >= wanted) return Math.min(middleOf(n), this.#max);
    }
    return this.#max;
  }

  /** Count, mean, median, 99th percentile and maximum. */
  quantiles(): Quantiles {
    const has = this.#count > 0;
    return {
      count: this.#count,
      mean: has ? this.#sum / this.#count : null,
      p50: this.quantile(0.5),
      p99: this.quantile(0.99),
      max: has ? this.#max : null,
    };
  }
}

// Below 64 each value has a bucket. From 64 on, the six bits after the leading one select the
// bucket of its power.
function bucketOf(value: number): number {
  if (value < STEPS) return value;
  const power = Math.floor(Math.log2(value));
  const step = Math.floor(value / 2 ** (power - STEP_BITS)) - STEPS;
  return STEPS * (power - STEP_BITS + 1) + step;
}

function middleOf(bucket: number): number {
  if (bucket < STEPS) return bucket;
  const power = Math.floor(bucket / STEPS) - 1;
  const width = 2 ** power;
  return (STEPS + bucket % STEPS) * width + Math.floor((width - 1) / 2);
}

/**
 * A quantile of a list of values, interpolated between two of them if it falls there.
 *
 * @example
 * ```ts
 * import { quantile } from "./distribution.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(quantile([3, 1, 2], 0.5), 2);
 * assertEquals(quantile([4, 1, 2, 3], 0.5), 2.5);
 * ```
 *
 * @param values The values, in any order; at least one.
 * @param share The share of values below it: 0 is the least value, 1 the greatest.
 * @throws {RangeError} If there is no value.
 */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError("Cannot take a quantile of nothing");
  const sorted = values.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const below = sorted[Math.floor(place)]!;
  return below + (sorted[Math.ceil(place)]! - below) * (place % 1);
}

/**
 * The median. It is hardly moved by a few outliers, which occur on a shared machine.
 *
 * @param values The values, in any order.
 * @returns Their median, or `null` if there is no value.
 */
export function median(values: readonly number[]): number | null {
  return values.length === 0 ? null : quantile(values, 0.5);
}
