import { type BatchEnd, coalesce, maskPages } from "./coalesce.ts";
import type { Entries } from "./entries.ts";
import { ENTRY_WORDS, OFFSET, SLOT } from "./entry.ts";
import { resetCalls, type Rule } from "./rule.ts";
import { sorted } from "./sort.ts";
import { type BatchSpread, Tally } from "./tally.ts";

/** The coalescing statistics of some windows. A window is one ring's entries in one reset call. */
export interface Statistics {
  /** Windows: ring walks, also those that found nothing. */
  readonly windows: number;
  /** Entries, over all windows. */
  readonly entries: number;
  /** Different pages, counted in each window and summed. */
  readonly uniquePages: number;
  /** Entries beyond the first for a page, counted in each window and summed. */
  readonly duplicates: number;
  /** Batches. Modelled. */
  readonly batches: number;
  /** `kvm_reset_dirty_gfn` calls, by the rule asked for. Modelled. */
  readonly calls: number;
  /** Entries in a batch. Modelled. */
  readonly entriesPerBatch: BatchSpread;
  /** Pages in a batch, which its mask bounds to 64. Modelled. */
  readonly pagesPerBatch: BatchSpread;
  /** The same entries, had the harvester sorted them by slot and offset before it marked them. */
  readonly sorted: {
    /** Batches. Modelled. */
    readonly batches: number;
    /** Entries in a batch. Modelled. */
    readonly entriesPerBatch: BatchSpread;
    /** Pages in a batch. Modelled. */
    readonly pagesPerBatch: BatchSpread;
  };
  /** Batches by why they ended; adds up to `batches`. Modelled. */
  readonly ends: Readonly<Record<BatchEnd, number>>;
}

/** A mask names at most this many pages. */
const MASK_PAGES = 64;

// The batches of some windows, in one order.
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
    // The keys of one `ends` are the keys of every other.
    for (const end of Object.keys(this.ends) as BatchEnd[]) this.ends[end] += other.ends[end];
  }
}

/**
 * Sums coalescing statistics window by window. Its memory does not grow with the number of windows.
 *
 * @example
 * ```ts
 * import { entriesOf } from "./entries.ts";
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
   * @param entries The entries, in the order in which they are reset; none is a window too.
   */
  addWindow(entries: Entries): void {
    const inOrder = sorted(entries);
    this.#windows++;
    this.#entries += entries.length;
    this.#uniquePages += uniquePages(inOrder);
    this.#asHarvested.add(entries);
    this.#sorted.add(inOrder);
  }

  /**
   * Adds all that another ring's statistics hold.
   *
   * @param other The other ring's.
   */
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
   * @param rule The kernel version whose rule counts the calls.
   * @returns The statistics.
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

// Different pages among entries that are sorted.
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
