// Coalescing statistics of the entries of resets.
import { type BatchEnd, coalesce, maskPages, resetCalls, type Rule } from "./coalesce.ts";
import { type Entries, ENTRY_WORDS, OFFSET, SLOT } from "./entry.ts";
import { sorted } from "./sort.ts";

/** The coalescing statistics of some windows. A window is one ring's entries in one reset call. */
export interface Statistics {
  /** Windows: ring walks, including those that found nothing. */
  readonly windows: number;
  /** Entries, over all windows. */
  readonly entries: number;
  /** Distinct pages, counted in each window and summed. */
  readonly uniquePages: number;
  /** Entries beyond the first for a page, counted in each window and summed. */
  readonly duplicates: number;
  /** Batches. Modelled. */
  readonly batches: number;
  /** `kvm_reset_dirty_gfn` calls, by the chosen rule. Modelled. */
  readonly calls: number;
  /** Entries in a batch. Modelled. */
  readonly entriesPerBatch: BatchSpread;
  /** Pages in a batch: at most the 64 of its mask. Modelled. */
  readonly pagesPerBatch: BatchSpread;
  /** The same, if the harvester had sorted the entries by slot and offset before it marked them. */
  readonly sorted: {
    /** Batches. Modelled. */
    readonly batches: number;
    /** Entries in a batch. Modelled. */
    readonly entriesPerBatch: BatchSpread;
    /** Pages in a batch. Modelled. */
    readonly pagesPerBatch: BatchSpread;
  };
  /** Batches by the reason why they ended; the sum is `batches`. Modelled. */
  readonly ends: Readonly<Record<BatchEnd, number>>;
}

/** The most pages that a mask names. */
const MASK_PAGES = 64;

// The batches of some windows, for one order of the entries.
class Batches {
  count = 0;
  readonly entries = new Tally();
  readonly pages = new Tally();
  readonly ends: Record<BatchEnd, number> = {
    otherSlot: 0,
    forwardWindow: 0,
    backwardWindow: 0,
    maskOverflow: 0,
    ringEnd: 0,
  };

  add(entries: Entries): void {
    coalesce(entries, (batch) => {
      this.count++;
      this.entries.add(batch.entries);
      this.pages.add(maskPages(batch.maskLow, batch.maskHigh));
      this.ends[batch.end]++;
    });
  }

  addAll(other: Batches): void {
    this.count += other.count;
    this.entries.addAll(other.entries);
    this.pages.addAll(other.pages);
    // Every `ends` has the same keys.
    for (const end of Object.keys(this.ends) as BatchEnd[]) this.ends[end] += other.ends[end];
  }
}

/**
 * Sums coalescing statistics window by window. Its memory does not grow with the number of windows.
 *
 * @example
 * ```ts
 * import { entriesOf } from "./entry.ts";
 * import { RingStatistics } from "./statistics.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const statistics = new RingStatistics();
 * statistics.addWindow(entriesOf([[1, 0], [1, 128], [1, 1], [1, 1]]));
 * const { batches, duplicates, sorted } = statistics.result("v6.17");
 * assertEquals([batches, duplicates, sorted.batches], [3, 1, 2]);
 * ```
 */
export class RingStatistics {
  #windows = 0;
  #entries = 0;
  #uniquePages = 0;
  readonly #asHarvested = new Batches();
  readonly #sorted = new Batches();

  /**
   * Adds one ring's entries in one reset call.
   *
   * @param entries The entries, in the order in which they are reset. Without entries it is a
   * window, too.
   */
  addWindow(entries: Entries): void {
    const inOrder = sorted(entries);
    this.#windows++;
    this.#entries += entries.length;
    this.#uniquePages += uniquePages(inOrder);
    this.#asHarvested.add(entries);
    this.#sorted.add(inOrder);
  }

  /** Adds the statistics of another ring. */
  addAll(other: RingStatistics): void {
    this.#windows += other.#windows;
    this.#entries += other.#entries;
    this.#uniquePages += other.#uniquePages;
    this.#asHarvested.addAll(other.#asHarvested);
    this.#sorted.addAll(other.#sorted);
  }

  /**
   * The statistics so far.
   *
   * @param rule The kernel version by whose rule the calls are counted.
   */
  result(rule: Rule): Statistics {
    const batches = this.#asHarvested;
    return {
      windows: this.#windows,
      entries: this.#entries,
      uniquePages: this.#uniquePages,
      duplicates: this.#entries - this.#uniquePages,
      batches: batches.count,
      calls: resetCalls(rule, batches.count, this.#windows),
      entriesPerBatch: batches.entries.spread(null),
      pagesPerBatch: batches.pages.spread(MASK_PAGES),
      sorted: {
        batches: this.#sorted.count,
        entriesPerBatch: this.#sorted.entries.spread(null),
        pagesPerBatch: this.#sorted.pages.spread(MASK_PAGES),
      },
      ends: { ...batches.ends },
    };
  }
}

// The number of distinct pages among sorted entries.
function uniquePages({ words, length }: Entries): number {
  let unique = 0;
  for (let n = 0, at = 0; n < length; n++, at += ENTRY_WORDS) {
    const before = at - ENTRY_WORDS;
    if (
      n === 0 || words[at + SLOT] !== words[before + SLOT] ||
      words[at + OFFSET] !== words[before + OFFSET] ||
      words[at + OFFSET + 1] !== words[before + OFFSET + 1]
    ) unique++;
  }
  return unique;
}

/** A range of values, and the number of batches in it. */
export interface Bucket {
  /** The least value. */
  readonly from: number;
  /** The greatest value; `null` for the last bucket of a measure without a bound. */
  readonly to: number | null;
  /** Batches whose value lies in the range. */
  readonly batches: number;
}

/**
 * The spread of a measure of batches. If there are no batches, mean, median and max are `null`, and
 * the buckets are empty.
 */
export interface BatchSpread {
  /** Mean over all batches. */
  readonly mean: number | null;
  /** Median over all batches; of an even number, the mean of the middle two. */
  readonly median: number | null;
  /** The largest value. */
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

/** Counts values. Its memory grows with the number of distinct values only. */
export class Tally {
  readonly #counts = new Map<number, number>();

  /**
   * Counts a value.
   *
   * @param value A positive integer.
   * @param times How often it is counted.
   */
  add(value: number, times = 1): void {
    this.#counts.set(value, (this.#counts.get(value) ?? 0) + times);
  }

  /** Adds the counts of another tally. */
  addAll(other: Tally): void {
    for (const [value, times] of other.#counts) this.add(value, times);
  }

  /**
   * Mean, median, largest value and histogram of the counted values.
   *
   * @param bound The greatest possible value, or `null` if there is none.
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

// The value at a rank, counted from 0; the counts are sorted by value.
function nth(counts: readonly (readonly [number, number])[], rank: number): number {
  let passed = 0;
  for (const [value, times] of counts) {
    passed += times;
    if (passed > rank) return value;
  }
  throw new RangeError(`Cannot find rank ${rank} of ${passed} values`);
}
