import type { Entries } from "../ring/entries.ts";
import { ENTRY_WORDS, OFFSET, SLOT } from "../ring/entry.ts";
import type { PageNumbers } from "../ring/page_numbers.ts";
import type { LoggedPages } from "../ring/slots.ts";

/** Counts which of the pages that were stored to a tracker found, and which others. */
export class PageCensus {
  readonly #pages: LoggedPages;
  readonly #stored: Uint32Array;
  // For each page the number of the last count that it was expected or found in.
  readonly #seen: Uint32Array<ArrayBuffer>;
  #count = 0;
  #found = 0;
  #strays = 0;
  /** Different pages that are stored to. */
  readonly expected: number;

  /**
   * Makes ready to count.
   *
   * @param pages The logged slots.
   * @param stored The page of each store.
   */
  constructor(pages: LoggedPages, stored: Uint32Array) {
    this.#pages = pages;
    this.#stored = stored;
    this.#seen = new Uint32Array(pages.total);
    this.begin();
    for (const page of stored) this.#look(page);
    this.expected = this.#found;
  }

  /** Begins a count. */
  begin(): void {
    this.#count += 2;
    this.#found = 0;
    this.#strays = 0;
    for (let n = 0; n < this.#stored.length; n++) this.#seen[this.#stored[n]!] = this.#count;
  }

  /**
   * Counts the pages that a ring's entries name; one that comes again counts once.
   *
   * @param entries The entries.
   */
  addEntries({ words, length }: Entries): void {
    for (let at = 0; at < length * ENTRY_WORDS; at += ENTRY_WORDS) {
      this.#look(this.#pages.find(words[at + SLOT]!, words[at + OFFSET]!, words[at + OFFSET + 1]!));
    }
  }

  /**
   * Counts pages.
   *
   * @param numbers Their numbers.
   */
  addPages({ pages, length }: PageNumbers): void {
    for (let n = 0; n < length; n++) this.#look(pages[n]!);
  }

  /**
   * What does not agree: pages that were stored to and not found, or found and not stored to.
   *
   * @returns A clause, or `null` where the two are the same pages.
   */
  difference(): string | null {
    if (this.#found === this.expected && this.#strays === 0) return null;
    return `${this.#found} of the ${this.expected} pages that were stored to were found, and ` +
      `${this.#strays} others`;
  }

  #look(page: number): void {
    const seen = this.#seen[page]; // undefined for -1: an entry that names no logged page
    if (seen === this.#count) {
      this.#seen[page] = this.#count + 1;
      this.#found++;
    } else if (seen !== this.#count + 1) this.#strays++;
  }
}
