// Whether two samples differ by more than their spread: a rank test, as an interval of the ratio.

/** The probability with which an interval holds the true ratio, at least. */
export const CONFIDENCE = 0.99;
/** The fewest values of each sample: four and four have no interval of that confidence. */
export const FEWEST = 5;
/** The most values of each sample that are looked at, spread evenly over it. */
const MOST = 101;
/** Up to as many pairs of values the distribution is computed, beyond it approximated. */
const MOST_EXACT = 2000;
/** The quantile of the normal distribution for the half of what the confidence leaves. */
const DEVIATIONS = 2.5758;

/** An interval of the ratio of two samples. A limit is `Infinity` where the first sample has zeros. */
export interface RatioInterval {
  /** The lower limit. */
  readonly low: number;
  /** The upper limit. */
  readonly high: number;
}

/**
 * The interval in which the ratio of two samples lies with a probability of 99 %, whatever their
 * distribution: if the values of one are those of the other times a factor, it is the factor. It is
 * the one that belongs to the rank test of Mann and Whitney, so it leaves out 1 exactly where that
 * test tells the two apart: all ratios of a value of one and a value of the other are sorted, and
 * as many are cut off at each end as the test allows. There is no chance in it: the same samples
 * give the same interval.
 *
 * The values of a run are taken for independent of each other. Of a long sample 101 values are
 * looked at, spread evenly over it, since neighbours resemble each other.
 *
 * @example
 * ```ts
 * import { ratioInterval } from "./rank_interval.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(ratioInterval([10, 11, 12, 13, 14], [20, 22, 24, 26, 28]), { low: 20 / 14, high: 2.8 });
 * assertEquals(ratioInterval([1, 2, 3, 4], [1, 2, 3, 4]), null);
 * ```
 *
 * @param before The values that the others are divided by; none is negative.
 * @returns The interval; `null` if there are too few values for one.
 */
export function ratioInterval(
  before: readonly number[],
  after: readonly number[],
): RatioInterval | null {
  if (before.length < FEWEST || after.length < FEWEST) return null;
  const [below, above] = [evenly(before), evenly(after)];
  const ratios = new Float64Array(below.length * above.length);
  let at = 0;
  for (const one of below) for (const other of above) ratios[at++] = ratioOf(one, other);
  ratios.sort();
  const cut = criticalValue(below.length, above.length);
  return { low: ratios[cut]!, high: ratios[ratios.length - 1 - cut]! };
}

/** A ratio. Two zeros are the same, and anything is infinitely more than zero. */
export function ratioOf(before: number, after: number): number {
  return before === after ? 1 : after / before;
}

function evenly(values: readonly number[]): readonly number[] {
  if (values.length <= MOST) return values;
  const step = (values.length - 1) / (MOST - 1);
  return Array.from({ length: MOST }, (_, n) => values[Math.round(n * step)]!);
}

const known = new Map<string, number>();

/**
 * The critical value of the test of Mann and Whitney: of all pairs, the most in which the value of
 * the sample with the greater ones may be the smaller, for the two to be told apart.
 *
 * @param n The values of one sample, 5 or more.
 * @param m The values of the other, 5 or more.
 */
export function criticalValue(n: number, m: number): number {
  const key = `${Math.min(n, m)} ${Math.max(n, m)}`;
  const found = known.get(key) ?? (n * m <= MOST_EXACT ? exactValue(n, m) : normalValue(n, m));
  known.set(key, found);
  return found;
}

/** The critical value, by the distribution of the pairs if both samples are of the same values. */
export function exactValue(n: number, m: number): number {
  const most = Math.floor(n * m / 2);
  // For i values of one and j of the other, the probability of each number of pairs: the greatest
  // value of all is of the first sample with a probability of i / (i + j), and then makes j pairs.
  let before = Array.from({ length: m + 1 }, () => Float64Array.of(1));
  for (let i = 1; i <= n; i++) {
    const now = [Float64Array.of(1)];
    for (let j = 1; j <= m; j++) {
      const chances = new Float64Array(Math.min(i * j, most) + 1);
      const [own, other] = [before[j]!, now[j - 1]!];
      for (let u = 0; u < chances.length; u++) {
        chances[u] = (i * (own[u - j] ?? 0) + j * (other[u] ?? 0)) / (i + j);
      }
      now.push(chances);
    }
    before = now;
  }
  let left = (1 - CONFIDENCE) / 2;
  let value = -1;
  for (const chance of before[m]!) {
    left -= chance;
    if (left < 0) break;
    value++;
  }
  return value;
}

/** The critical value by the normal distribution, for samples that are not both small. */
export function normalValue(n: number, m: number): number {
  const deviation = Math.sqrt(n * m * (n + m + 1) / 12);
  return Math.floor(n * m / 2 - DEVIATIONS * deviation - 1);
}
