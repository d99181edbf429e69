import type { Entries } from "./entries.ts";
import { ENTRY_WORDS, OFFSET, SLOT } from "./entry.ts";
import { allocatePageNumbers, type PageNumbers } from "./page_numbers.ts";
import type { LoggedPages } from "./slots.ts";

/**
 * The pages that are dirty in an epoch, each once: a bit for each logged page, and a list of those that are set,
 * so that going through them and forgetting them takes as long as there are dirty pages, however large the guest.
 *
 * @example
 * ```ts
 * import { DirtySet } from "./dirty_set.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const dirty = new DirtySet(100);
 * for (const page of [7, 3, 7]) dirty.add(page);
 * assertEquals([...dirty.sorted()], [3, 7]);
 * ```
 */
export class DirtySet {
  readonly #bits: Uint32Array<ArrayBuffer>;
  readonly #list: PageNumbers;

  /**
   * Begins empty.
   *
   * @param pages Page numbers are below this.
   */
  constructor(pages: number) {
    this.#bits = new Uint32Array(Math.ceil(pages / 32));
    this.#list = allocatePageNumbers(pages);
  }

  /** How many pages are dirty. */
  get count(): number {
    return this.#list.length;
  }

  /**
   * Adds a page.
   *
   * @param page Its number.
   */
  add(page: number): void {
    const bit = 1 << (page & 31);
    const word = this.#bits[page >>> 5]!;
    if ((word & bit) !== 0) return;
    this.#bits[page >>> 5] = word | bit;
    this.#list.pages[this.#list.length++] = page;
  }

  /**
   * Adds the pages that entries name.
   *
   * @param entries The entries.
   * @param logged Which page an entry names.
   * @returns Entries that name no logged page.
   */
  addEntries(entries: Entries, logged: LoggedPages): number {
    const { words } = entries;
    const end = entries.length * ENTRY_WORDS;
    let strays = 0;
    for (let at = 0; at < end; at += ENTRY_WORDS) {
      const page = logged.find(words[at + SLOT]!, words[at + OFFSET]!, words[at + OFFSET + 1]!);
      if (page === -1) strays++;
      else this.add(page);
    }
    return strays;
  }

  /**
   * The pages in the order of their numbers.
   *
   * @returns The numbers, valid until the set changes.
   */
  sorted(): Uint32Array<ArrayBuffer> {
    return this.#list.pages.subarray(0, this.#list.length).sort();
  }

  /** Forgets all pages. */
  clear(): void {
    const { pages, length } = this.#list;
    for (let n = 0; n < length; n++) this.#bits[pages[n]! >>> 5] = 0;
    this.#list.length = 0;
  }
}
