import type { Entries } from "./entries.ts";
import { ENTRY_WORDS, OFFSET, SLOT } from "./entry.ts";
import type { LoggedPages, PageName } from "./slots.ts";

/** Some pages: their number, and the first hundred of them. */
export interface PageList {
  /** How many there are. */
  readonly count: number;
  /** The first {@linkcode PAGES_LISTED} of them. */
  readonly pages: readonly PageName[];
}

/** As many pages of a {@linkcode PageList} are listed. */
export const PAGES_LISTED = 100;

const PAGE_WORDS = 1024;

/**
 * Lets guest memory say whether a store went unseen. Every store writes a value that was never there
 * before into the first word of its page; the witness remembers what it last read of each page that
 * was harvested. Once the vCPUs have stopped and all is harvested, a page that holds something else was
 * written without an entry: it is lost.
 *
 * @example
 * ```ts
 * import { entriesOf } from "./entries.ts";
 * import { LoggedPages } from "./slots.ts";
 * import { Witness } from "./witness.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const slot = { id: 1, addressSpace: 0, gfn: 16, pages: 4, logged: true };
 * const memory = new Uint32Array(4 * 1024);
 * const witness = new Witness(memory, new LoggedPages([slot]));
 * memory[0] = 1; // a store to page 0, and its entry
 * witness.read(entriesOf([[1, 0]]));
 * memory[3 * 1024] = 2; // a store to page 3 that nobody logged
 * witness.checkAll();
 * assertEquals(witness.lost, { count: 1, pages: [{ slot: 1, offset: 3, gfn: 19 }] });
 * ```
 */
export class Witness {
  readonly #memory: Uint32Array<ArrayBuffer>;
  readonly #pages: LoggedPages;
  // What was last read of each page, and in which harvest.
  readonly #lastRead: Uint32Array<ArrayBuffer>;
  readonly #readIn: Uint32Array<ArrayBuffer>;
  #harvest = 0;
  #lost = 0;
  #spurious = 0;
  readonly #lostPages: PageName[] = [];
  readonly #spuriousPages: PageName[] = [];
  #strays = 0;

  /**
   * Begins with nothing read.
   *
   * @param memory All logged memory, 1024 words of 32 bits a page, zero at first.
   * @param pages The logged slots that it backs, in order.
   */
  constructor(memory: Uint32Array<ArrayBuffer>, pages: LoggedPages) {
    this.#memory = memory;
    this.#pages = pages;
    this.#lastRead = new Uint32Array(pages.total);
    this.#readIn = new Uint32Array(pages.total);
  }

  /** Pages that hold a store which no entry announced, each counted once for each such store found. */
  get lost(): PageList {
    return { count: this.#lost, pages: this.#lostPages };
  }

  /**
   * Pages harvested without a new store, counted once a harvest. This is no failure: KVM may push a
   * page that was only read, and it pushes before the store, so that a vCPU stopped by a full ring
   * may not have stored yet.
   */
  get spurious(): PageList {
    return { count: this.#spurious, pages: this.#spuriousPages };
  }

  /** Entries that name no logged page: never so on a sound kernel. */
  get strays(): number {
    return this.#strays;
  }

  /**
   * Begins a harvest: a page may appear twice in one and is then not spurious, as emulated stores push
   * every time. The entries of several rings belong to one.
   */
  beginHarvest(): void {
    this.#harvest++;
  }

  /**
   * Reads the pages that were harvested. To be called after their reset, never before: a store
   * between a read and the reset would go unseen (api.rst, "KVM_CAP_DIRTY_LOG_RING").
   *
   * @param entries The entries harvested.
   */
  read(entries: Entries): void {
    const { words, length } = entries;
    for (let at = 0; at < length * ENTRY_WORDS; at += ENTRY_WORDS) {
      const page = this.#pages.find(
        words[at + SLOT]!,
        words[at + OFFSET]!,
        words[at + OFFSET + 1]!,
      );
      if (page === -1) {
        this.#strays++;
        continue;
      }
      const found = this.#memory[page * PAGE_WORDS]!;
      if (found === this.#lastRead[page] && this.#readIn[page] !== this.#harvest) {
        if (this.#spurious++ < PAGES_LISTED) this.#spuriousPages.push(this.#pages.name(page));
      }
      this.#lastRead[page] = found;
      this.#readIn[page] = this.#harvest;
    }
  }

  /**
   * Checks pages against what was last read of them. Only true once the vCPUs have stopped and all
   * that they dirtied was harvested.
   *
   * @param pages Page numbers, in any order and also repeated.
   */
  check(pages: Uint32Array): void {
    for (let n = 0; n < pages.length; n++) this.#checkPage(pages[n]!);
  }

  /**
   * Checks every logged page, as {@linkcode Witness.check} does, or a part of them.
   *
   * @param from The first page number.
   * @param to The page number after the last.
   */
  checkAll(from = 0, to: number = this.#pages.total): void {
    const end = Math.min(to, this.#pages.total);
    for (let page = from; page < end; page++) this.#checkPage(page);
  }

  #checkPage(page: number): void {
    const found = this.#memory[page * PAGE_WORDS]!;
    if (found === this.#lastRead[page]) return;
    this.#lastRead[page] = found; // so that one lost store counts once
    if (this.#lost++ < PAGES_LISTED) this.#lostPages.push(this.#pages.name(page));
  }
}
