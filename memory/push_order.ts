// Checks that entries come in the order of the stores.
import { type Entries, ENTRY_WORDS, type LoggedPages, OFFSET, SLOT } from "../ring/entry.ts";

/**
 * How far ahead in the list an unexpected page is searched: the most entries that may be missing in
 * a row.
 */
const LOOK_AHEAD = 4096;

/**
 * Compares the entries of one vCPU's ring with the stores that it makes. Each entry must name the
 * next page of its list, or the last page again, since a store that was cut off is pushed once more
 * (`push.once-more-after-full` of docs/abi.md). So an entry that was never pushed, not harvested,
 * or read before it was published is noticed at the next entry, and not only if its page still
 * holds an unread store in the end.
 *
 * This requires that no page comes twice within as many stores as the ring has entries (a page is
 * pushed once until its reset), that no other vCPU stores to the same pages, and that entries come
 * in the order of stores, which they do not with PML.
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
  /** Entries compared with the list. */
  compared = 0;
  /** Entries that name the previous page again. */
  repeated = 0;
  /** Stores for which an entry is missing. */
  missing = 0;
  /** Entries that name no page that the vCPU could have stored to. */
  strange = 0;

  /**
   * Starts at the beginning of the list.
   *
   * @param list The page numbers that the vCPU stores to, again and again.
   * @param pages The logged slots.
   */
  constructor(list: Uint32Array, pages: LoggedPages) {
    this.#list = list;
    this.#pages = pages;
  }

  /**
   * Compares entries with the list.
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
 * Whether the entries of rings must come in the order of the vCPUs' lists: no page twice within a
 * ring's worth of stores, and no page in two lists.
 *
 * @param lists The pages that each vCPU stores to, again and again.
 * @param pages Page numbers are below this.
 * @returns Whether a {@linkcode PushOrder} can check them.
 */
export function isOrdered(lists: readonly Uint32Array[], ring: number, pages: number): boolean {
  const owner = new Int32Array(pages).fill(-1);
  const seen = new Float64Array(pages);
  return lists.every((list, vcpu) => {
    // Walk the list twice, since it begins again after its end.
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
