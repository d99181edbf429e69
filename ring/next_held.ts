import { ENTRY_WORDS } from "./entry.ts";

/**
 * Finds the next entry of a ring that is not invalid. Invalid ones are passed over eight at a time: most
 * rings are mostly empty, and most programs that ask this run too short to be compiled.
 *
 * @param words The ring's memory.
 * @param from Index of a word at which an entry begins.
 * @returns Index of the word at which the entry begins; the length where there is none.
 */
export function nextHeld(words: Uint32Array, from: number): number {
  let at = from;
  for (const last = words.length - 31; at < last; at += 32) {
    const some = words[at]! | words[at + 4]! | words[at + 8]! | words[at + 12]! |
      words[at + 16]! | words[at + 20]! | words[at + 24]! | words[at + 28]!;
    if (some !== 0) break;
  }
  while (at < words.length && words[at] === 0) at += ENTRY_WORDS;
  return at;
}
