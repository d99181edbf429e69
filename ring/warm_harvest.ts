import { allocateEntries } from "./entries.ts";
import { DIRTY, ENTRY_WORDS } from "./entry.ts";
import { harvest, ringWords } from "./harvest.ts";

const ENTRIES = 512;
const TIMES = 300;
const PAGE_WORDS = 1024;

/**
 * Harvests a made-up ring until V8 has compiled the loop: the first harvest of a process takes ten times as long
 * as a later one, and a vCPU with a full ring would wait for it.
 *
 * @param rings The words of rings that will be harvested: the kernel maps a page of them when it is touched, which is
 * done here. A model would only take memory for it.
 */
export function warmHarvest(rings: readonly Uint32Array[] = []): void {
  for (const words of rings) {
    for (let at = 0; at < words.length; at += PAGE_WORDS) Atomics.load(words, at);
  }
  const words = new Uint32Array(ENTRIES * ENTRY_WORDS);
  const ring = ringWords(words);
  const into = allocateEntries(ENTRIES);
  for (let n = 0; n < TIMES; n++) {
    for (let at = 0; at < words.length; at += ENTRY_WORDS) words[at] = DIRTY;
    harvest(ring, n * 7, ENTRIES - n % 3, into);
  }
}
