/**
 * Which pages of a guest's memory were dirtied, and the proof that no store was lost: sets and
 * lists of pages, the witness, which reads each harvested page and finally finds the pages without
 * an entry, and a check of the push order. Nothing here calls a kernel. An entry is a pair of a
 * slot and an offset, as in `@dirtyring/dirtyring/ring`.
 *
 * @example A store that no entry announced is found
 * ```ts
 * import { Witness } from "@dirtyring/dirtyring/memory";
 * import { entriesOf, LoggedPages } from "@dirtyring/dirtyring/ring";
 * import { assertEquals } from "@std/assert";
 *
 * const slot = { id: 1, addressSpace: 0, gfn: 256, pages: 16, logged: true };
 * const memory = new Uint32Array(16 * 1024); // a page is 1024 words
 * const witness = new Witness(memory, new LoggedPages([slot]));
 *
 * memory[3 * 1024] = 1; // the guest stores to two pages,
 * memory[7 * 1024] = 2;
 * witness.read(entriesOf([[1, 3]])); // and one entry is harvested
 * witness.checkAll();
 * assertEquals(witness.lost.pages.map(({ gfn, cause }) => [gfn, cause]), [[263, "never harvested"]]);
 * ```
 *
 * @module
 */

export {
  allocatePageNumbers,
  DirtySet,
  type PageNumbers,
  PageSet,
  scanBitmap,
} from "./page_sets.ts";
export {
  type LostCause,
  type LostPage,
  type LostPages,
  type PageList,
  PAGES_LISTED,
  Witness,
} from "./witness.ts";
export { isOrdered, PushOrder } from "./push_order.ts";

// The types in the signatures above.
export { type Entries, LoggedPages, type PageName, type Slot } from "../ring/entry.ts";
