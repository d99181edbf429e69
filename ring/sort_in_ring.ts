import { allocateEntries } from "./entries.ts";
import { DIRTY, ENTRY_WORDS, FLAGS, HARVESTED, OFFSET, SLOT } from "./entry.ts";
import { radixSort } from "./radix_sort.ts";
import { sorted } from "./sort.ts";

const STATE = DIRTY | HARVESTED;
const WORD_BITS = 32;

/**
 * Sorts the dirty entries of one ring where they stand, before they are marked: a reset reads slot and
 * offset again (`slot.rewritten-order` of docs/abi.md), and re-protects pages that follow each other
 * together.
 *
 * Until an entry is marked, KVM does not touch it and pushes nothing over it, so that its slot and offset
 * are the program's. Flags are read here and never written: an entry is marked afterwards, once, by the
 * harvest, and on x86 that store comes after these in hardware.
 *
 * @example
 * ```ts
 * import { RingSorter } from "./sort_in_ring.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const words = Uint32Array.of(...[1, 1, 9, 0], ...[0, 0, 0, 0], ...[0, 0, 0, 0], ...[1, 1, 12, 0]);
 * assertEquals(new RingSorter(words).sort(3, 4), 2); // the run wraps around the ring's end
 * assertEquals([words[14], words[2]], [9, 12]);
 * ```
 */
export class RingSorter {
  readonly #words: Uint32Array<ArrayBuffer>;
  readonly #keys: Uint32Array<ArrayBuffer>;
  readonly #spare: Uint32Array<ArrayBuffer>;

  /**
   * Makes room for the keys of a whole ring.
   *
   * @param words The ring's memory, four words of 32 bits an entry.
   */
  constructor(words: Uint32Array<ArrayBuffer>) {
    this.#words = words;
    this.#keys = new Uint32Array(words.length / ENTRY_WORDS);
    this.#spare = new Uint32Array(words.length / ENTRY_WORDS);
  }

  /**
   * Sorts the run of dirty entries by slot and offset. Those that a running vCPU pushes behind it
   * meanwhile are left alone: the harvest is to take no more than this run.
   *
   * @param fetch Where the run begins: the free-running index of the next entry (u32).
   * @param limit The most entries to sort; the ring's size also bounds it.
   * @returns Entries in the run.
   */
  sort(fetch: number, limit: number): number {
    const words = this.#words;
    const first = (fetch * ENTRY_WORDS) % words.length;
    const run = dirtyRun(words, first, Math.min(limit, words.length / ENTRY_WORDS));
    if (run < 2) return run;

    // A genuine offset has at most 31 bits, and slots differ in few: both fit into one word.
    let offsets = 0;
    let highs = 0;
    let slots = 0;
    const firstSlot = words[first + SLOT]!;
    for (let n = 0, at = first; n < run; n++) {
      slots |= words[at + SLOT]! ^ firstSlot;
      offsets |= words[at + OFFSET]!;
      highs |= words[at + OFFSET + 1]!;
      at += ENTRY_WORDS;
      if (at === words.length) at = 0;
    }
    const offsetBits = WORD_BITS - Math.clz32(offsets);
    const slotBits = WORD_BITS - Math.clz32(slots);
    if (highs !== 0 || offsetBits === WORD_BITS || offsetBits + slotBits > WORD_BITS) {
      this.#sortWide(first, run);
    } else {
      this.#sortNarrow(first, run, offsetBits, slotBits);
    }
    return run;
  }

  // By keys of one word: the bits in which slots differ, then the offset.
  #sortNarrow(first: number, run: number, offsetBits: number, slotBits: number): void {
    const words = this.#words;
    const keys = this.#keys;
    const slotMask = 2 ** slotBits - 1;
    let isSorted = true;
    for (let n = 0, at = first, before = 0; n < run; n++) {
      const key = (((words[at + SLOT]! & slotMask) << offsetBits) | words[at + OFFSET]!) >>> 0;
      if (key < before) isSorted = false;
      keys[n] = key;
      before = key;
      at += ENTRY_WORDS;
      if (at === words.length) at = 0;
    }
    if (isSorted) return;

    const inOrder = radixSort(keys, run, this.#spare, offsetBits + slotBits);
    const slotBase = words[first + SLOT]! & ~slotMask;
    const offsetMask = 2 ** offsetBits - 1;
    for (let n = 0, at = first; n < run; n++) {
      const key = inOrder[n]!;
      words[at + SLOT] = slotBase | (key >>> offsetBits);
      words[at + OFFSET] = key & offsetMask;
      at += ENTRY_WORDS;
      if (at === words.length) at = 0;
    }
  }

  // Forged entries: by what ring/sort.ts compares.
  #sortWide(first: number, run: number): void {
    const words = this.#words;
    const copy = allocateEntries(run);
    copy.length = run;
    for (let n = 0; n < run; n++) {
      const at = (first + n * ENTRY_WORDS) % words.length;
      copy.words.set(words.subarray(at, at + ENTRY_WORDS), n * ENTRY_WORDS);
    }
    const inOrder = sorted(copy).words;
    for (let n = 0; n < run; n++) {
      const at = (first + n * ENTRY_WORDS) % words.length;
      const from = n * ENTRY_WORDS;
      words.set(inOrder.subarray(from + SLOT, from + ENTRY_WORDS), at + SLOT);
    }
  }
}

// The dirty entries from a place on. A loop of its own: flags are read before slots and offsets.
function dirtyRun(words: Uint32Array, first: number, limit: number): number {
  let run = 0;
  for (let at = first; run < limit && (words[at + FLAGS]! & STATE) === DIRTY; run++) {
    at += ENTRY_WORDS;
    if (at === words.length) at = 0;
  }
  return run;
}
