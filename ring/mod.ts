/**
 * What there is to do with the entries of a KVM dirty ring, as pure algorithms over typed arrays: nothing here
 * calls a kernel, maps memory or knows where a ring came from. Harvesting a ring in order, sorting it where it
 * stands, the batches that a reset makes of entries and their statistics, sets and lists of dirty pages, and the
 * witness and the push order, which prove that no store went unseen.
 *
 * @example A made-up ring with two entries is harvested
 * ```ts
 * import { DIRTY, ENTRY_WORDS, Harvester, RingStatistics } from "@dirtyring/dirtyring/ring";
 * import { assertEquals } from "@std/assert";
 *
 * const words = new Uint32Array(256 * ENTRY_WORDS); // flags, slot, low and high word of the offset
 * words.set([DIRTY, 1, 7, 0, DIRTY, 1, 8, 0]);
 * const harvester = new Harvester(words);
 * const entries = harvester.take();
 * assertEquals([entries.length, harvester.take().length], [2, 0]);
 *
 * words.set([DIRTY, 1, 7, 0, DIRTY, 1, 8, 0]); // what KVM does once they are reset
 * const statistics = new RingStatistics();
 * harvester.seek(0);
 * statistics.addWindow(harvester.take());
 * assertEquals(statistics.result("v6.17").batches, 1); // neighbours: one call re-protects both
 * ```
 *
 * @module
 */
export { DIRTY, ENTRY_WORDS, entryState, FLAGS, HARVESTED, OFFSET, SLOT } from "./entry.ts";
export type { EntryState } from "./entry.ts";
export { allocateEntries, type Entries, entriesOf } from "./entries.ts";
export { dirtyEntries } from "./dirty_entries.ts";
export { harvest, Harvester, type RingWords, ringWords, warmHarvest } from "./harvest.ts";
export { sorted } from "./sort.ts";
export { RingSorter } from "./sort_in_ring.ts";
export { type Batch, type BatchEnd, coalesce, maskPages } from "./coalesce.ts";
export { resetCalls, type Rule, ruleOf, RULES } from "./rule.ts";
export { RingStatistics, type Statistics } from "./statistics.ts";
export type { BatchSpread, Bucket } from "./tally.ts";
export { LoggedPages, type PageName, type Slot } from "./slots.ts";
export { DirtySet } from "./dirty_set.ts";
export { PageSet } from "./page_set.ts";
export { allocatePageNumbers, type PageNumbers } from "./page_numbers.ts";
export { scanBitmap } from "./scan_bitmap.ts";
export { type PageList, PAGES_LISTED, Witness } from "./witness.ts";
export type { LostCause, LostPage, LostPages } from "./lost_page.ts";
export { isOrdered, PushOrder } from "./push_order.ts";
export { Distribution, type Quantiles } from "./distribution.ts";
