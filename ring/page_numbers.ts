/**
 * Page numbers, as {@linkcode import("./slots.ts").LoggedPages} counts them, in one typed array, never an
 * object a page.
 */
export interface PageNumbers {
  /** How many are filled. */
  length: number;
  /** The numbers; those from `length` on mean nothing. */
  readonly pages: Uint32Array<ArrayBuffer>;
}

/**
 * Makes room for page numbers. Memory is taken when it is written to, so that room for all pages of a large
 * guest costs nothing until they are dirty.
 *
 * @param capacity The most that it can hold.
 * @returns No numbers yet.
 */
export function allocatePageNumbers(capacity: number): PageNumbers {
  return { length: 0, pages: new Uint32Array(capacity) };
}
