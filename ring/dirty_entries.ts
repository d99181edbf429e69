import { allocateEntries, type Entries } from "./entries.ts";
import { ENTRY_WORDS, entryState, FLAGS } from "./entry.ts";
import { nextHeld } from "./next_held.ts";

/**
 * The dirty entries of a ring, copied and left as they are: a look, not a harvest.
 *
 * @param words The ring's memory, or a copy of it.
 * @returns The entries that are dirty, in the order of the mapping.
 */
export function dirtyEntries(words: Uint32Array): Entries {
  const found = allocateEntries(words.length / ENTRY_WORDS);
  let at = nextHeld(words, 0);
  for (; at < words.length; at = nextHeld(words, at + ENTRY_WORDS)) {
    if (entryState(words[at + FLAGS]!) !== "dirty") continue;
    found.words.set(words.subarray(at, at + ENTRY_WORDS), found.length * ENTRY_WORDS);
    found.length++;
  }
  return found;
}
