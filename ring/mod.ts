/**
 * Pure algorithms over the entries of a KVM dirty ring, in typed arrays: harvesting a ring in
 * order, sorting it in place, the batches that a reset makes of entries, and their statistics.
 * Nothing here calls a kernel, maps memory or knows where a ring came from.
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
export {
  allocateEntries,
  DIRTY,
  dirtyEntries,
  type Entries,
  entriesOf,
  ENTRY_WORDS,
  type EntryState,
  entryState,
  FLAGS,
  HARVESTED,
  LoggedPages,
  OFFSET,
  type PageName,
  SLOT,
  type Slot,
} from "./entry.ts";
export { harvest, Harvester, type RingWords, ringWords, warmHarvest } from "./harvest.ts";
export { RingSorter, sorted } from "./sort.ts";
export {
  type Batch,
  type BatchEnd,
  coalesce,
  maskPages,
  resetCalls,
  type Rule,
  ruleOf,
  RULES,
} from "./coalesce.ts";
export { type BatchSpread, type Bucket, RingStatistics, type Statistics } from "./statistics.ts";
export { Distribution, type Quantiles } from "./distribution.ts";
