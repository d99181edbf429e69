import { type Entries, ENTRY_WORDS, type LoggedPages, OFFSET, SLOT } from "../ring/entry.ts";

/** How far ahead a page is looked for after an entry that does not fit: entries that may be missing at a time. */
const LOOK_AHEAD = 4096;

/**
 * Holds the entries of one vCPU's ring against the stores that it makes: each must name the next page of its list,
 * or the last one again, since a store that was cut off is pushed once more (`push.once-more-after-full` of
 * docs/abi.md). So an entry that was never pushed, not harvested, or read before it was published is noticed when the
 * next one comes, and not only if its page holds something unread in the end.
 *
 * That holds where no page comes twice within as many stores as the ring has entries (a page is pushed once until its
 * reset), where no other vCPU stores to the same pages, and where entries come in the order of stores: not with PML.
 *
 * @example
 * ```ts
 * import { entriesOf } from "../ring/entry.ts";
 * import { PushOrder } from "./push_order.ts";
 * import { LoggedPages } from "../ring/entry.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const slot = { id: 1, addressSpace: 0, gfn: 16, pages: 4, logged: true };
 * const order = new PushOrder(Uint32Array.of(0, 1, 2, 3), new LoggedPages([slot]));
 * order.compare(entriesOf([[1, 0], [1, 0], [1, 1], [1, 3], [1, 0]])); // page 2 is missing
 * assertEquals([order.compared, order.repeated, order.missing], [5, 1, 1]);
 * ```
 */
export class PushOrder {
  readonly #list: Uint32Array;
  readonly #pages: LoggedPages;
  #next = 0;
  /** Entries held against the list. */
  compared = 0;
  /** Entries that name the page before once more. */
  repeated = 0;
  /** Stores for which there should have been an entry and was none. */
  missing = 0;
  /** Entries that name no page that the vCPU could have stored to. */
  strange = 0;

  /**
   * Begins where the list does.
   *
   * @param list The page numbers that the vCPU stores to, again and again.
   * @param pages The logged slots.
   */
  constructor(list: Uint32Array, pages: LoggedPages) {
    this.#list = list;
    this.#pages = pages;
  }

  /**
   * Holds entries against the list.
   *
   * @param entries The vCPU's next entries, in ring order.
   */
  compare({ words, length }: Entries): void {
    const list = this.#list;
    for (let n = 0, at = 0; n < length; n++, at += ENTRY_WORDS) {
      const page = this.#pages.find(
        words[at + SLOT]!,
        words[at + OFFSET]!,
        words[at + OFFSET + 1]!,
      );
      if (page === list[this.#next % list.length]) this.#next++;
      else if (this.#next > 0 && page === list[(this.#next - 1) % list.length]) this.repeated++;
      else this.#lookAhead(page);
    }
    this.compared += length;
  }

  #lookAhead(page: number): void {
    const list = this.#list;
    for (let by = 1; by < Math.min(LOOK_AHEAD, list.length); by++) {
      if (page !== list[(this.#next + by) % list.length]) continue;
      this.missing += by;
      this.#next += by + 1;
      return;
    }
    this.strange++;
  }
}

/**
 * Whether entries of rings of some size come in the order of lists: no page twice within a ring's worth of stores,
 * and none in two lists.
 *
 * @param lists The pages that each vCPU stores to, again and again.
 * @param pages Page numbers are below this.
 * @returns Whether they do.
 */
export function isOrdered(lists: readonly Uint32Array[], ring: number, pages: number): boolean {
  const owner = new Int32Array(pages).fill(-1);
  const seen = new Float64Array(pages);
  return lists.every((list, vcpu) => {
    // Twice: the list begins again behind its end.
    for (let n = 0; n < 2 * list.length; n++) {
      const page = list[n % list.length]!;
      if (owner[page] === vcpu && n - seen[page]! < ring) return false;
      if (owner[page] !== -1 && owner[page] !== vcpu) return false;
      owner[page] = vcpu;
      seen[page] = n;
    }
    return true;
  });
}
