import { DIRTY, ENTRY_WORDS, OFFSET } from "../ring/entry.ts";
import { Harvester, warmHarvest } from "../ring/harvest.ts";
import { allocatePageNumbers, type PageNumbers } from "../ring/page_numbers.ts";
import { scanBitmap } from "../ring/scan_bitmap.ts";

const ENTRIES = 2048;
const WORDS = 4096;
const TIMES = 200;
/** A prime, so that offsets come in no order; and pages of a large slot. */
const STEP = 7919;
const PAGES = 2 ** 22;

/** V8 throws compiled code away with the last object of the shape that it was compiled for: these stay. */
const kept: (Harvester | PageNumbers)[] = [];

/**
 * Lets V8 compile the loops whose time is measured, on made-up rings and bitmaps: whichever is measured first
 * would otherwise pay for it.
 */
export function warmBench(): void {
  if (kept.length > 0) return;
  warmHarvest();
  const ring = new Uint32Array(ENTRIES * ENTRY_WORDS);
  const harvester = new Harvester(ring);
  const bitmap = new Uint32Array(WORDS);
  const found = allocatePageNumbers(WORDS * 32);
  kept.push(harvester, found);
  for (let n = 0; n < TIMES; n++) {
    for (let entry = 0; entry < ENTRIES; entry++) {
      ring[entry * ENTRY_WORDS] = DIRTY;
      ring[entry * ENTRY_WORDS + OFFSET] = (entry * STEP * (n + 1)) % PAGES;
    }
    // Few entries are sorted in another way than many.
    harvester.takeSorted(n % 2 === 0 ? ENTRIES : ENTRIES / 16);
    for (let word = n % 64; word < WORDS; word += 64) {
      bitmap[word] = bitmap[word]! ^ (1 << (n % 32));
    }
    found.length = 0;
    scanBitmap(bitmap, 0, found);
  }
}
