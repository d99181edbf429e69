/** A guest memory slot, as results show it. */
export interface Slot {
  /** The slot's id in its address space. */
  readonly id: number;
  /** The address space: 0, or 1 for SMM memory. */
  readonly addressSpace: number;
  /** Its first guest frame: guest physical address / 4096. */
  readonly gfn: number;
  /** Pages of 4096 bytes. */
  readonly pages: number;
  /** Whether writes to it are logged. */
  readonly logged: boolean;
}

/** A page as an entry names it. */
export interface PageName {
  /** The slot's id. */
  readonly slot: number;
  /** Pages from the slot's base. */
  readonly offset: number;
  /** Its guest frame. */
  readonly gfn: number;
}

/**
 * The logged slots as one run of pages: page numbers count from 0 over all of them, in the order of
 * their ids, which are consecutive.
 */
export class LoggedPages {
  readonly #slots: readonly Slot[];
  readonly #first: readonly number[];
  /** All logged pages. */
  readonly total: number;

  /**
   * Numbers the pages of the logged slots.
   *
   * @param slots All slots; those that are not logged are left out.
   */
  constructor(slots: readonly Slot[]) {
    this.#slots = slots.filter((slot) => slot.logged);
    let total = 0;
    this.#first = this.#slots.map((slot) => (total += slot.pages) - slot.pages);
    this.total = total;
  }

  /**
   * The page that an entry names.
   *
   * @param slot The entry's slot word: address space << 16 | id.
   * @param offsetLow The offset's low word.
   * @param offsetHigh The offset's high word.
   * @returns The page number, or -1 where no logged slot has such a page.
   */
  find(slot: number, offsetLow: number, offsetHigh: number): number {
    const index = slot - (this.#slots[0]?.id ?? 0);
    const found = this.#slots[index];
    if (found === undefined || offsetHigh !== 0 || offsetLow >= found.pages) return -1;
    return this.#first[index]! + offsetLow;
  }

  /**
   * A page's slot, offset and guest frame.
   *
   * @param page The page number.
   * @returns Its name.
   * @throws {RangeError} Where there is no such page.
   */
  name(page: number): PageName {
    const index = this.#first.findLastIndex((first) => first <= page);
    const slot = this.#slots[index];
    if (slot === undefined || page >= this.total) {
      throw new RangeError(`Cannot name page ${page}: expected 0 to ${this.total - 1}`);
    }
    const offset = page - this.#first[index]!;
    return { slot: slot.id, offset, gfn: slot.gfn + offset };
  }
}
