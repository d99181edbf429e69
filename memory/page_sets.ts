// Sets and lists of page numbers, and the scan of a dirty bitmap.
import { type Entries, ENTRY_WORDS, type LoggedPages, OFFSET, SLOT } from "../ring/entry.ts";

/**
 * A set of page numbers, with a bit for each possible page: its memory does not grow with its
 * content.
 *
 * @example
 * ```ts
 * import { PageSet } from "./page_sets.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const pages = new PageSet(100);
 * assertEquals([pages.add(7), pages.add(7), pages.count], [true, false, 1]);
 * ```
 */
export class PageSet {
  readonly #bits: Uint32Array<ArrayBuffer>;
  #count = 0;

  /**
   * Creates an empty set.
   *
   * @param pages Page numbers are below this.
   */
  constructor(pages: number) {
    this.#bits = new Uint32Array(Math.ceil(pages / 32));
  }

  /** How many pages it holds. */
  get count(): number {
    return this.#count;
  }

  /**
   * Adds a page.
   *
   * @returns Whether it is new.
   */
  add(page: number): boolean {
    const bit = 1 << (page & 31);
    const word = this.#bits[page >>> 5]!;
    if ((word & bit) !== 0) return false;
    this.#bits[page >>> 5] = word | bit;
    this.#count++;
    return true;
  }
}

/**
 * The dirty pages of an epoch, each once: a bit for each logged page, and a list of the pages that
 * are set. Iterating and clearing therefore take time in proportion to the dirty pages, however
 * large the guest is.
 *
 * @example
 * ```ts
 * import { DirtySet } from "./page_sets.ts";
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
   * Creates an empty set.
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

  /** Adds a page. */
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
   * @param logged Which page an entry names.
   * @returns The number of entries that name no logged page.
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
   * Sorts the pages by their numbers.
   *
   * @returns The page numbers, valid until the set changes.
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

/**
 * Page numbers, as {@linkcode import("../ring/entry.ts").LoggedPages} counts them, in one typed
 * array, without an object for each page.
 */
export interface PageNumbers {
  /** How many are filled. */
  length: number;
  /** The numbers; those from `length` on mean nothing. */
  readonly pages: Uint32Array<ArrayBuffer>;
}

/**
 * Allocates room for page numbers. The host provides memory only when it is written to, so room for
 * all pages of a large guest costs nothing until they are dirty.
 *
 * @param capacity The most page numbers that it can hold.
 * @returns An empty list.
 */
export function allocatePageNumbers(capacity: number): PageNumbers {
  return { length: 0, pages: new Uint32Array(capacity) };
}

/** Words that are tested together, since most of a bitmap is zero. */
const GROUP = 8;

/**
 * Turns a dirty bitmap into page numbers, in order: bit `n` of word `m` is page
 * `first + 32 * m + n`. Groups of words without a bit are skipped at the speed of memory.
 *
 * @example
 * ```ts
 * import { allocatePageNumbers } from "./page_sets.ts";
 * import { scanBitmap } from "./page_sets.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const into = allocatePageNumbers(64);
 * assertEquals(scanBitmap(Uint32Array.of(0x8000_0001, 2), 1000, into), 3);
 * assertEquals([...into.pages.subarray(0, into.length)], [1000, 1031, 1033]);
 * ```
 *
 * @param words The bitmap, in 32-bit words; of each 64-bit word the low half comes first.
 * @param first The number of its first page.
 * @param into Where the numbers are appended. It must have room for them.
 * @returns The number of set bits.
 */
export function scanBitmap(
  words: Uint32Array<ArrayBuffer>,
  first: number,
  into: PageNumbers,
): number {
  const { pages } = into;
  const before = into.length;
  let count = before;
  const whole = words.length - words.length % GROUP;
  for (let at = 0; at < words.length; at += GROUP) {
    if (at < whole) {
      const bits = words[at]! | words[at + 1]! | words[at + 2]! | words[at + 3]! |
        words[at + 4]! | words[at + 5]! | words[at + 6]! | words[at + 7]!;
      if (bits === 0) continue;
    }
    const end = Math.min(at + GROUP, words.length);
    for (let n = at; n < end; n++) {
      let word = words[n]!;
      while (word !== 0) {
        pages[count++] = first + n * 32 + 31 - Math.clz32(word & -word); // the lowest set bit
        word &= word - 1;
      }
    }
  }
  into.length = count;
  return count - before;
}
