// Finds lost stores by reading guest memory.
import {
  type Entries,
  ENTRY_WORDS,
  type LoggedPages,
  OFFSET,
  PAGE_WORDS,
  type PageName,
  SLOT,
} from "../ring/entry.ts";
import type { PageSet } from "./page_sets.ts";

/** Some pages: their number, and the first hundred of them. */
export interface PageList {
  /** How many there are. */
  readonly count: number;
  /** The first {@linkcode PAGES_LISTED} of them. */
  readonly pages: readonly PageName[];
}

/** The most pages that a {@linkcode PageList} lists. */
export const PAGES_LISTED = 100;

/** Short resets beyond this number are not remembered. A run is broken long before. */
const SHORT_HARVESTS_KEPT = 10_000;

/**
 * Finds out from guest memory whether a store was lost. Every store writes a value that was never
 * there before into the first word of its page, and the witness remembers what it last read of each
 * page that was harvested. Once the vCPUs have stopped and everything is harvested, a page that
 * holds another value was written without an entry: it is lost.
 *
 * @example
 * ```ts
 * import { entriesOf } from "../ring/entry.ts";
 * import { LoggedPages } from "../ring/entry.ts";
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
 * const { count, pages } = witness.lost;
 * assertEquals([count, pages[0]?.gfn, pages[0]?.cause], [1, 19, "never harvested"]);
 * ```
 */
export class Witness {
  readonly #memory: Uint32Array<ArrayBuffer>;
  readonly #pages: LoggedPages;
  // What was last read of each page, and in which harvest.
  readonly #lastRead: Uint32Array<ArrayBuffer>;
  readonly #readIn: Uint32Array<ArrayBuffer>;
  readonly #vcpuBits: number;
  // Harvests whose reset was of fewer entries than were harvested.
  readonly #shortHarvests = new Set<number>();
  readonly #overflowed = new Set<number>();
  #harvest = 1;
  #lost = 0;
  #spurious = 0;
  #duplicates = 0;
  readonly #lostPages: LostPage[] = [];
  readonly #spuriousPages: PageName[] = [];
  #strays = 0;

  /**
   * Creates a witness that has read nothing.
   *
   * @param memory All logged memory, 1024 32-bit words per page, initially zero.
   * @param pages The logged slots that the memory backs, in order.
   * @param vcpuBits The number of low bits of a stored value that hold the vCPU's id; the other
   * bits are its counter.
   */
  constructor(memory: Uint32Array<ArrayBuffer>, pages: LoggedPages, vcpuBits = 0) {
    this.#memory = memory;
    this.#pages = pages;
    this.#vcpuBits = vcpuBits;
    this.#lastRead = new Uint32Array(pages.total);
    this.#readIn = new Uint32Array(pages.total);
  }

  /**
   * Pages that hold a store for which no entry was harvested, counted once for each such store that
   * was found.
   */
  get lost(): LostPages {
    return { count: this.#lost, pages: this.#lostPages };
  }

  /**
   * Pages harvested without a new store, counted once per harvest. They are not a failure: KVM may
   * push a page that was only read, and it pushes before the store, so a vCPU stopped by a full
   * ring may not have stored yet.
   */
  get spurious(): PageList {
    return { count: this.#spurious, pages: this.#spuriousPages };
  }

  /** Entries beyond the first for a page in one harvest: legal (`push.once-until-reset` of docs/abi.md). */
  get duplicates(): number {
    return this.#duplicates;
  }

  /** Entries that name no logged page. A correct kernel pushes none. */
  get strays(): number {
    return this.#strays;
  }

  /**
   * Begins a harvest, which may be of several rings. A page that appears in one twice is not
   * spurious, since emulated stores push every time.
   */
  beginHarvest(): void {
    this.#harvest++;
  }

  /**
   * Notes that the reset of this harvest was of fewer entries than were harvested, because of a
   * signal.
   */
  noteShortReset(): void {
    if (this.#shortHarvests.size < SHORT_HARVESTS_KEPT) this.#shortHarvests.add(this.#harvest);
  }

  /** Notes that a vCPU's ring overflowed and lost entries. */
  noteOverflow(vcpu: number): void {
    this.#overflowed.add(vcpu);
  }

  /**
   * Reads the pages that were harvested. Call it after their reset, never before: a store between
   * the read and the reset would be lost (api.rst, "KVM_CAP_DIRTY_LOG_RING").
   *
   * @param entries The entries harvested.
   * @param seen If given, the pages of the entries are added to it.
   */
  read(entries: Entries, seen?: PageSet): void {
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
      seen?.add(page);
      const found = this.#memory[page * PAGE_WORDS]!;
      if (this.#readIn[page] === this.#harvest) {
        this.#duplicates++;
      } else if (found === this.#lastRead[page]) {
        if (this.#spurious++ < PAGES_LISTED) this.#spuriousPages.push(this.#pages.name(page));
      }
      this.#lastRead[page] = found;
      this.#readIn[page] = this.#harvest;
    }
  }

  /**
   * Compares pages with what was last read of them. The answer is right only once the vCPUs have
   * stopped and everything that they dirtied was harvested.
   *
   * @param pages Page numbers, in any order; they may be repeated.
   */
  check(pages: Uint32Array): void {
    for (let n = 0; n < pages.length; n++) this.#checkPage(pages[n]!);
  }

  /**
   * Checks every logged page, or a range of them, as {@linkcode Witness.check} does.
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
    if (this.#lost++ < PAGES_LISTED) this.#lostPages.push(this.#lostPage(page, found));
    this.#lastRead[page] = found; // so that one lost store counts once
  }

  #lostPage(page: number, found: number): LostPage {
    const counters = 2 ** this.#vcpuBits;
    const vcpu = found % counters;
    const read = this.#lastRead[page]!;
    return {
      ...this.#pages.name(page),
      vcpu,
      counter: Math.floor(found / counters),
      read: read === 0 ? null : Math.floor(read / counters),
      cause: this.#causeOf(page, vcpu),
    };
  }

  #causeOf(page: number, vcpu: number): LostCause {
    if (this.#overflowed.has(vcpu)) return "ring overflow";
    const readIn = this.#readIn[page]!;
    if (this.#shortHarvests.has(readIn)) return "signal during reset";
    return readIn === 0 ? "never harvested" : "read before reset";
  }
}

/**
 * The most likely reason of a lost page. A ring overflow, and a reset of fewer entries
 * than were harvested, are noticed when they happen. Of the other two, the reason is
 * `read before reset` if the page was ever read.
 */
export type LostCause =
  | "ring overflow"
  | "signal during reset"
  | "read before reset"
  | "never harvested";

/**
 * A page with a store that the harvester never saw: it had no entry, or its page was read too
 * early.
 */
export interface LostPage extends PageName {
  /** The vCPU that made the store, taken from the value in the page. */
  readonly vcpu: number;
  /** The store's counter: it is the n-th store of that vCPU, modulo 2^(32 − vCPU bits). */
  readonly counter: number;
  /** The counter that was last read there; `null` if the page was never read, or held no store. */
  readonly read: number | null;
  /** The most likely reason. Inferred. */
  readonly cause: LostCause;
}

/** Lost pages: their number, and the first hundred of them. */
export interface LostPages {
  /** How many there are. */
  readonly count: number;
  /** The first hundred. */
  readonly pages: readonly LostPage[];
}
