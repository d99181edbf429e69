// Sorts entries: a copy of them, or the entries in their ring.
import {
  allocateEntries,
  DIRTY,
  type Entries,
  ENTRY_WORDS,
  FLAGS,
  HARVESTED,
  OFFSET,
  SLOT,
} from "./entry.ts";

// Slot and low word of the offset fit together into the 53 bits that a number holds exactly.
const SLOT_LIMIT = 2 ** 21;
const WORD = 2 ** 32;

/**
 * A copy of entries with flags 0, sorted by slot and then by unsigned offset, so that consecutive
 * pages of a slot are adjacent.
 *
 * @example
 * ```ts
 * import { entriesOf } from "./entry.ts";
 * import { sorted } from "./sort.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(sorted(entriesOf([[2, 0], [1, 9], [1, 3]])), entriesOf([[1, 3], [1, 9], [2, 0]]));
 * ```
 *
 * @returns New entries.
 */
export function sorted(entries: Entries): Entries {
  return narrow(entries) ?? wide(entries);
}

// For genuine entries: one float per entry, sorted natively; null if an entry does not fit.
function narrow({ words, length }: Entries): Entries | null {
  const keys = new Float64Array(length);
  for (let n = 0, at = 0; n < length; n++, at += ENTRY_WORDS) {
    const slot = words[at + SLOT]!;
    if (words[at + OFFSET + 1] !== 0 || slot >= SLOT_LIMIT) return null;
    keys[n] = slot * WORD + words[at + OFFSET]!;
  }
  keys.sort();
  const result = allocateEntries(length);
  result.length = length;
  for (let n = 0, at = 0; n < length; n++, at += ENTRY_WORDS) {
    const key = keys[n]!;
    result.words[at + SLOT] = Math.floor(key / WORD);
    result.words[at + OFFSET] = key % WORD;
  }
  return result;
}

// For forged entries, with offsets of up to 64 bits or slots that cannot exist.
function wide({ words, length }: Entries): Entries {
  const order = Array.from({ length }, (_, n) => n * ENTRY_WORDS);
  order.sort((a, b) =>
    words[a + SLOT]! - words[b + SLOT]! ||
    words[a + OFFSET + 1]! - words[b + OFFSET + 1]! ||
    words[a + OFFSET]! - words[b + OFFSET]!
  );
  const result = allocateEntries(length);
  result.length = length;
  order.forEach((from, n) => {
    const at = n * ENTRY_WORDS;
    result.words[at + SLOT] = words[from + SLOT]!;
    result.words[at + OFFSET] = words[from + OFFSET]!;
    result.words[at + OFFSET + 1] = words[from + OFFSET + 1]!;
  });
  return result;
}

// Digits of up to 11 bits: their counts take 8 KiB, which stays in the first-level cache.
const DIGIT_BITS = 11;
// Below this many keys, setting up the counts costs more than it saves.
const FEW = 1000;

const counts = new Uint32Array(2 ** DIGIT_BITS);

/**
 * Sorts 32-bit words by digits, from the lowest to the highest. For the thousands of entries of a
 * ring this takes a third of the time of the typed array's own sort.
 *
 * @example
 * ```ts
 * import { radixSort } from "./sort.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const keys = Uint32Array.of(5, 3, 4, 9);
 * assertEquals([...radixSort(keys, 3, new Uint32Array(3), 3).subarray(0, 3)], [3, 4, 5]);
 * ```
 *
 * @param keys The words; they are overwritten.
 * @param length The number of words to sort, from the first on.
 * @param spare Room for as many words; it is overwritten.
 * @param bits The number of low bits that may be set in the words.
 * @returns The one of the two arrays that holds the sorted words.
 */
export function radixSort(
  keys: Uint32Array<ArrayBuffer>,
  length: number,
  spare: Uint32Array<ArrayBuffer>,
  bits: number,
): Uint32Array<ArrayBuffer> {
  if (length < FEW) {
    keys.subarray(0, length).sort();
    return keys;
  }
  const passes = Math.ceil(bits / DIGIT_BITS);
  const width = Math.ceil(bits / passes);
  let from = keys;
  let to = spare;
  for (let pass = 0; pass < passes; pass++) {
    sortDigit(from, to, length, pass * width, 2 ** width);
    [from, to] = [to, from];
  }
  return from;
}

// Sorts by one digit, and keeps the order of words with equal digits.
function sortDigit(
  from: Uint32Array<ArrayBuffer>,
  to: Uint32Array<ArrayBuffer>,
  length: number,
  shift: number,
  values: number,
): void {
  const mask = values - 1;
  counts.fill(0, 0, values);
  for (let n = 0; n < length; n++) counts[(from[n]! >>> shift) & mask]!++;
  let place = 0;
  for (let value = 0; value < values; value++) {
    const count = counts[value]!;
    counts[value] = place;
    place += count;
  }
  for (let n = 0; n < length; n++) {
    const key = from[n]!;
    to[counts[(key >>> shift) & mask]!++] = key;
  }
}

const STATE = DIRTY | HARVESTED;
const WORD_BITS = 32;

/**
 * Sorts the dirty entries of one ring in place, before they are marked: a reset reads slot and
 * offset again (`slot.rewritten-order` of docs/abi.md), and re-protects consecutive pages together.
 *
 * Until an entry is marked, KVM neither changes nor overwrites it, so its slot and offset belong to
 * the program. Flags are read here and never written. The harvest marks each entry afterwards,
 * once, and on x86 that store comes after these stores in hardware.
 *
 * @example
 * ```ts
 * import { RingSorter } from "./sort.ts";
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
   * Allocates the keys of a whole ring.
   *
   * @param words The ring's memory, four 32-bit words per entry.
   */
  constructor(words: Uint32Array<ArrayBuffer>) {
    this.#words = words;
    this.#keys = new Uint32Array(words.length / ENTRY_WORDS);
    this.#spare = new Uint32Array(words.length / ENTRY_WORDS);
  }

  /**
   * Sorts the run of dirty entries by slot and offset. Entries that a running vCPU pushes after it
   * meanwhile are left alone: the harvest must take no more than this run.
   *
   * @param fetch The free-running index (u32) of the first entry of the run.
   * @param limit The most entries to sort. The ring's size is a limit, too.
   * @returns The number of entries in the run.
   */
  sort(fetch: number, limit: number): number {
    const words = this.#words;
    const first = (fetch * ENTRY_WORDS) % words.length;
    const run = dirtyRun(words, first, Math.min(limit, words.length / ENTRY_WORDS));
    if (run < 2) return run;

    // A genuine offset has at most 31 bits, and slots differ in few bits, so both fit into one
    // word.
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

  // Sorts by keys of one word: the bits in which slots differ, then the offset.
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

  // Sorts forged entries, by a copy in the order of `sorted`.
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

// The number of dirty entries in a row, from an entry on. A separate loop, so that flags are read
// before slots and offsets.
function dirtyRun(words: Uint32Array, first: number, limit: number): number {
  let run = 0;
  for (let at = first; run < limit && (words[at + FLAGS]! & STATE) === DIRTY; run++) {
    at += ENTRY_WORDS;
    if (at === words.length) at = 0;
  }
  return run;
}
