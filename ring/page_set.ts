/**
 * A set of page numbers, a bit for each page: its memory does not grow with what it holds.
 *
 * @example
 * ```ts
 * import { PageSet } from "./page_set.ts";
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
   * Begins empty.
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
   * @param page Its number.
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
