import { ENTRY_WORDS, OFFSET, SLOT } from "./entry.ts";

/**
 * Entries copied out of a ring, in ring order, laid out as they are there: one typed array, four words
 * of 32 bits an entry (flags as found, slot, low and high word of the offset), never an object an entry.
 * A copy in the ring's own layout is the fastest that a harvest can make.
 */
export interface Entries {
  /** How many entries are filled. */
  length: number;
  /** Their words: entry `n` begins at `n * ENTRY_WORDS`. */
  readonly words: Uint32Array<ArrayBuffer>;
}

/**
 * Bytes before the first entry. A large array begins where a page does, and so does a ring: loads of the one would wait
 * for stores to the other that look the same in their last twelve bits (bench/README.md, "The harvest loop").
 */
const SHIFT = 3072;

/**
 * Makes room for entries.
 *
 * @param capacity The most entries it can hold.
 * @returns No entries yet.
 */
export function allocateEntries(capacity: number): Entries {
  const words = capacity * ENTRY_WORDS;
  const { BYTES_PER_ELEMENT } = Uint32Array;
  const buffer = new ArrayBuffer(SHIFT + words * BYTES_PER_ELEMENT);
  return { length: 0, words: new Uint32Array(buffer, SHIFT, words) };
}

/**
 * Entries from plain numbers, for tests and examples.
 *
 * @example
 * ```ts
 * import { entriesOf } from "./entries.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const entries = entriesOf([[1, 0], [1, -1n]]);
 * assertEquals([...entries.words], [0, 1, 0, 0, 0, 1, 0xffff_ffff, 0xffff_ffff]);
 * ```
 *
 * @param list Slot and offset of each entry; offsets wrap at 2^64.
 * @returns The entries, with flags 0.
 */
export function entriesOf(list: readonly (readonly [number, number | bigint])[]): Entries {
  const entries = allocateEntries(list.length);
  for (const [slot, offset] of list) {
    const wide = BigInt.asUintN(64, BigInt(offset));
    const at = entries.length++ * ENTRY_WORDS;
    entries.words[at + SLOT] = slot;
    entries.words[at + OFFSET] = Number(wide & 0xffff_ffffn);
    entries.words[at + OFFSET + 1] = Number(wide >> 32n);
  }
  return entries;
}
