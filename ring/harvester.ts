import { allocateEntries, type Entries } from "./entries.ts";
import { ENTRY_WORDS } from "./entry.ts";
import { harvest, type RingWords, ringWords } from "./harvest.ts";
import { nextHeld } from "./next_held.ts";
import { RingSorter } from "./sort_in_ring.ts";

/**
 * One ring's harvester: it keeps the fetch index, which the mapping does not hold, and the entries of
 * its last harvest. The fetch index runs free, as the kernel's own indices do, and wraps at 2^32.
 */
export class Harvester {
  readonly #ring: RingWords;
  #fetchIndex = 0;
  #sorter: RingSorter | null = null;
  /** The entries of the last {@linkcode Harvester.take}: overwritten by the next. */
  readonly taken: Entries;

  /**
   * Begins at the ring's first entry.
   *
   * @param words The ring's memory, four words of 32 bits an entry.
   */
  constructor(words: Uint32Array<ArrayBuffer>) {
    this.#ring = ringWords(words);
    this.taken = allocateEntries(this.size);
  }

  /** The ring's size in entries. */
  get size(): number {
    return this.#ring.words.length / ENTRY_WORDS;
  }

  /** The free-running index (u32) of the next entry to fetch. */
  get fetchIndex(): number {
    return this.#fetchIndex;
  }

  /**
   * Harvests in ring order, from where it stopped last.
   *
   * @param limit The most entries to take; by default all that are dirty.
   * @returns The entries taken, valid until the next call.
   */
  take(limit: number = this.size): Entries {
    const taken = harvest(this.#ring, this.#fetchIndex, limit, this.taken);
    this.#fetchIndex = (this.#fetchIndex + taken) >>> 0;
    return this.taken;
  }

  /**
   * Harvests in ring order, as {@linkcode Harvester.take} does, after sorting the entries in the ring by
   * slot and offset.
   *
   * @param limit The most entries to sort and take; by default all that are dirty.
   * @returns The entries taken, in the order in which they then stand, valid until the next call.
   */
  takeSorted(limit: number = this.size): Entries {
    this.#sorter ??= new RingSorter(this.#ring.words);
    return this.take(this.#sorter.sort(this.#fetchIndex, limit));
  }

  /**
   * Leaves entries behind unharvested: a gap, at which a reset will stop.
   *
   * @param entries How many.
   */
  skip(entries: number): void {
    this.#fetchIndex = (this.#fetchIndex + entries) >>> 0;
  }

  /**
   * Goes back to entries that were skipped.
   *
   * @param fetchIndex The free-running index to fetch next.
   */
  seek(fetchIndex: number): void {
    this.#fetchIndex = fetchIndex >>> 0;
  }

  /** Entries that are not invalid now: dirty, or harvested and not reset yet. */
  get held(): number {
    const { words } = this.#ring;
    let held = 0;
    let at = nextHeld(words, 0);
    for (; at < words.length; at = nextHeld(words, at + ENTRY_WORDS)) held++;
    return held;
  }
}
