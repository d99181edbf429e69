/** A range of values and how many batches fall into it. */
export interface Bucket {
  /** The least value. */
  readonly from: number;
  /** The greatest value; `null` for the last bucket of a measure without a bound. */
  readonly to: number | null;
  /** Batches whose value lies in the range. */
  readonly batches: number;
}

/** How a measure of batches is spread. All of it is `null` where there are no batches. */
export interface BatchSpread {
  /** Mean over all batches. */
  readonly mean: number | null;
  /** Median over all batches: of an even number, the mean of the middle two. */
  readonly median: number | null;
  /** The largest. */
  readonly max: number | null;
  /** Batches by value: 1, 2–3, 4–7, 8–15, 16–31, 32–63, and from 64 on. */
  readonly histogram: readonly Bucket[];
}

const BUCKETS: readonly (readonly [number, number])[] = [
  [1, 1],
  [2, 3],
  [4, 7],
  [8, 15],
  [16, 31],
  [32, 63],
  [64, Infinity],
];

/** Counts values; its memory grows with the number of different values, not of values. */
export class Tally {
  readonly #counts = new Map<number, number>();

  /**
   * Counts a value.
   *
   * @param value A positive integer.
   * @param times How often.
   */
  add(value: number, times = 1): void {
    this.#counts.set(value, (this.#counts.get(value) ?? 0) + times);
  }

  /**
   * Counts all that another tally counted.
   *
   * @param other The other tally.
   */
  addAll(other: Tally): void {
    for (const [value, times] of other.#counts) this.add(value, times);
  }

  /**
   * Mean, median, largest and histogram of what was counted.
   *
   * @param bound The greatest value that can occur, if there is one.
   * @returns The spread.
   */
  spread(bound: number | null): BatchSpread {
    const counts = [...this.#counts].sort(([a], [b]) => a - b);
    const total = counts.reduce((sum, [, times]) => sum + times, 0);
    const histogram = BUCKETS.map(([from, to]) => ({
      from,
      to: to === Infinity ? bound : to,
      batches: counts.reduce((sum, [v, times]) => v >= from && v <= to ? sum + times : sum, 0),
    }));
    if (total === 0) return { mean: null, median: null, max: null, histogram };
    const sum = counts.reduce((sum, [value, times]) => sum + value * times, 0);
    return {
      mean: sum / total,
      median: (nth(counts, (total - 1) >> 1) + nth(counts, total >> 1)) / 2,
      max: counts[counts.length - 1]![0],
      histogram,
    };
  }
}

// The value at a rank, counted from 0, of counts sorted by value.
function nth(counts: readonly (readonly [number, number])[], rank: number): number {
  let passed = 0;
  for (const [value, times] of counts) {
    passed += times;
    if (passed > rank) return value;
  }
  throw new RangeError(`Cannot find rank ${rank} of ${passed} values`);
}
