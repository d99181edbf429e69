// A ring entry as the pure algorithms see it: four 32-bit words. The numbers are those of
// `struct kvm_dirty_gfn`. This folder does not import ffi/; a test compares the numbers.

/** 32-bit words in an entry. */
export const ENTRY_WORDS = 4;
/** 32-bit words in a page. */
export const PAGE_WORDS = 1024;
/** Index of the flags word in an entry. */
export const FLAGS = 0;
/** Index of the slot word in an entry: address space << 16 | slot id. */
export const SLOT = 1;
/** Index of the offset's low word in an entry; the high word follows. Offsets count pages. */
export const OFFSET = 2;
/** Flag: KVM filled the entry (`KVM_DIRTY_GFN_F_DIRTY`). */
export const DIRTY = 1;
/** Flag: the program harvested the entry (`KVM_DIRTY_GFN_F_RESET`). */
export const HARVESTED = 2;

/** The state of an entry, derived from its flags. */
export type EntryState = "invalid" | "dirty" | "harvested";

/**
 * The state of an entry. KVM considers an entry harvested by bit 1 alone (`dirty_gfn_is_harvested`,
 * virt/kvm/dirty_ring.c).
 *
 * @example
 * ```ts
 * import { entryState } from "./entry.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([0, 1, 2, 3].map(entryState), ["invalid", "dirty", "harvested", "harvested"]);
 * ```
 *
 * @param flags The entry's flags.
 */
export function entryState(flags: number): EntryState {
  if ((flags & HARVESTED) !== 0) return "harvested";
  return (flags & DIRTY) !== 0 ? "dirty" : "invalid";
}

/**
 * Entries copied out of a ring, in ring order and in the ring's own layout: one typed array with
 * four 32-bit words per entry (flags as found, slot, low and high word of the offset), without an
 * object for each entry. A copy in this layout is the fastest that a harvest can make.
 */
export interface Entries {
  /** How many entries are filled. */
  length: number;
  /** Their words: entry `n` begins at `n * ENTRY_WORDS`. */
  readonly words: Uint32Array<ArrayBuffer>;
}

/**
 * Bytes before the first entry. A large array begins at a page boundary, and so does a ring.
 * Without the shift, loads from one of them would wait for stores to the other whose addresses have
 * the same low twelve bits.
 */
const SHIFT = 3072;

/**
 * Allocates room for entries.
 *
 * @param capacity The most entries it can hold.
 * @returns An empty list.
 */
export function allocateEntries(capacity: number): Entries {
  const words = capacity * ENTRY_WORDS;
  const { BYTES_PER_ELEMENT } = Uint32Array;
  const buffer = new ArrayBuffer(SHIFT + words * BYTES_PER_ELEMENT);
  return { length: 0, words: new Uint32Array(buffer, SHIFT, words) };
}

/**
 * Makes entries from plain numbers, for tests and examples.
 *
 * @example
 * ```ts
 * import { entriesOf } from "./entry.ts";
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

/**
 * Finds the next entry of a ring that is not invalid. Invalid ones are skipped eight at a time:
 * most rings are mostly empty, and most programs that call this end before V8 compiles it.
 *
 * @param words The ring's memory.
 * @param from Index of a word at which an entry begins.
 * @returns Index of the word at which the entry begins; the length of `words` if there is none.
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

/**
 * Copies the dirty entries of a ring without harvesting them: the ring stays as it is.
 *
 * @param words The ring's memory, or a copy of it.
 * @returns The dirty entries, in the order of the mapping.
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

/**
 * The end of a run of consecutive pages.
 *
 * @example
 * ```ts
 * import { runEnd } from "./entry.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(runEnd(Uint32Array.of(4, 5, 6, 9), 0), 3);
 * ```
 *
 * @param pages Page numbers, in order.
 * @param from The index of the run's first page.
 * @returns The index after the last page of the run.
 */
export function runEnd(pages: Uint32Array, from: number): number {
  let end = from + 1;
  while (end < pages.length && pages[end] === pages[end - 1]! + 1) end++;
  return end;
}

/** A guest memory slot, as results show it. */
export interface Slot {
  /** The slot's id in its address space. */
  readonly id: number;
  /** The address space: 0, or 1 for SMM memory. */
  readonly addressSpace: number;
  /** Its first guest frame: guest physical address / 4096. */
  readonly gfn: number;
  /** Pages of 4096 bytes. */
  readonly pages: number;
  /** Whether writes to it are logged. */
  readonly logged: boolean;
}

/** A page, as an entry names it. */
export interface PageName {
  /** The slot's id. */
  readonly slot: number;
  /** Its offset from the slot's base, in pages. */
  readonly offset: number;
  /** Its guest frame. */
  readonly gfn: number;
}

/**
 * The logged slots as one sequence of pages. Page numbers count from 0 over all these slots, in the
 * order of their ids, which must be consecutive.
 */
export class LoggedPages {
  readonly #slots: readonly Slot[];
  readonly #first: readonly number[];
  /** The number of all logged pages. */
  readonly total: number;

  /**
   * Numbers the pages of the logged slots.
   *
   * @param slots All slots; those that are not logged are ignored.
   */
  constructor(slots: readonly Slot[]) {
    this.#slots = slots.filter((slot) => slot.logged);
    let total = 0;
    this.#first = this.#slots.map((slot) => (total += slot.pages) - slot.pages);
    this.total = total;
  }

  /**
   * The page that an entry names.
   *
   * @param slot The entry's slot word: address space << 16 | id.
   * @param offsetLow The offset's low word.
   * @param offsetHigh The offset's high word.
   * @returns The page number, or -1 if no logged slot has such a page.
   */
  find(slot: number, offsetLow: number, offsetHigh: number): number {
    const index = slot - (this.#slots[0]?.id ?? 0);
    const found = this.#slots[index];
    if (found === undefined || offsetHigh !== 0 || offsetLow >= found.pages) return -1;
    return this.#first[index]! + offsetLow;
  }

  /**
   * A page's slot, offset and guest frame.
   *
   * @throws {RangeError} If there is no such page.
   */
  name(page: number): PageName {
    const index = this.#first.findLastIndex((first) => first <= page);
    const slot = this.#slots[index];
    if (slot === undefined || page >= this.total) {
      throw new RangeError(`Cannot name page ${page}: expected 0 to ${this.total - 1}`);
    }
    const offset = page - this.#first[index]!;
    return { slot: slot.id, offset, gfn: slot.gfn + offset };
  }
}
