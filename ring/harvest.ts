// The harvest of a ring: the hot loop, and the fetch index.
import {
  allocateEntries,
  DIRTY,
  type Entries,
  ENTRY_WORDS,
  HARVESTED,
  nextHeld,
  PAGE_WORDS,
} from "./entry.ts";
import { RingSorter } from "./sort.ts";

const STATE = DIRTY | HARVESTED;

// Words that are handled at a time: 2 KiB. This is small enough that the scan leaves them in the
// first-level cache for the copy and the marks, and that libc copies them with plain vector moves.
// From 2 to 4 KiB on, by its version, glibc uses `rep movsb`, which is five times slower on some
// processors. Measured: reference/README.md.
const SPAN = 512;

/** A ring's memory, cut into the pieces that {@linkcode harvest} copies at a time. */
export interface RingWords {
  /** The whole ring: four 32-bit words per entry; the number of entries is a power of two. */
  readonly words: Uint32Array<ArrayBuffer>;
  /** The same memory as spans, created once, since creating a span costs more than copying it. */
  readonly spans: readonly Uint32Array<ArrayBuffer>[];
}

/**
 * Prepares a ring's memory for {@linkcode harvest}.
 *
 * @param words The ring's memory, four 32-bit words per entry.
 * @returns The same memory, with its spans.
 */
export function ringWords(words: Uint32Array<ArrayBuffer>): RingWords {
  const spans = [];
  for (let at = 0; at < words.length; at += SPAN) spans.push(words.subarray(at, at + SPAN));
  return { words, spans };
}

/**
 * Harvests dirty entries of a ring, in order: copies them and marks each as harvested. It ends at
 * the first entry that is not dirty, or after `limit` entries.
 *
 * This is the hot loop of the program. It is a separate function so that V8 compiles it for one
 * kind of array only.
 *
 * Ordering: api.rst asks for a load-acquire of the flags and a store-release of the mark. On x86
 * every load is an acquire and every store a release in hardware. The three steps are separate
 * loops and a copy, so flags are read before slots and offsets, and written after them. Three rules
 * keep this right. First, each flag is stored once: after the store KVM may push a new entry there,
 * which a second store would overwrite. Second, no span is ever copied back. Third, the walk is
 * limited to the ring's size, since otherwise a running vCPU could keep it going for ever.
 *
 * @example
 * ```ts
 * import { allocateEntries } from "./entry.ts";
 * import { harvest, ringWords } from "./harvest.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const words = new Uint32Array(256 * 4); // no entry is dirty ...
 * words.set([1, 1, 7, 0]); // ... but the first: slot 1, offset 7
 * const into = allocateEntries(256);
 * assertEquals(harvest(ringWords(words), 0, 256, into), 1);
 * assertEquals(words[0], 3); // dirty and harvested
 * ```
 *
 * @param ring The ring's memory.
 * @param fetch The free-running index (u32) of the first entry to take.
 * @param limit The most entries to take. The ring's size and the room in `into` are limits, too.
 * @param into Receives the entries, from its beginning.
 * @returns The number of entries taken, which is also set as `into.length`.
 */
export function harvest(ring: RingWords, fetch: number, limit: number, into: Entries): number {
  const { words, spans } = ring;
  const out = into.words;
  let at = (fetch * ENTRY_WORDS) % words.length;
  let left = Math.min(limit * ENTRY_WORDS, words.length, out.length);
  let taken = 0;
  while (left > 0) {
    const span = spans[Math.floor(at / SPAN)]!;
    const from = at % SPAN;
    const to = Math.min(from + left, span.length);
    let end = to;
    if (to - from === SPAN && isAllDirty(span)) {
      out.set(span, taken);
      markAll(span);
    } else {
      end = scan(span, from, to);
      out.set(span.subarray(from, end), taken);
      mark(span, from, end);
    }
    taken += end - from;
    left -= end - from;
    if (end < to) break;
    at = (at + end - from) % words.length;
  }
  into.length = taken / ENTRY_WORDS;
  return into.length;
}

// Tests a whole span, eight entries at a time. Its constant length lets V8 drop most bounds checks.
function isAllDirty(span: Uint32Array): boolean {
  let others = 0;
  for (let at = 0; at < SPAN; at += 32) {
    others |= (span[at]! ^ DIRTY) | (span[at + 4]! ^ DIRTY) | (span[at + 8]! ^ DIRTY) |
      (span[at + 12]! ^ DIRTY) | (span[at + 16]! ^ DIRTY) | (span[at + 20]! ^ DIRTY) |
      (span[at + 24]! ^ DIRTY) | (span[at + 28]! ^ DIRTY);
  }
  return others === 0;
}

function markAll(span: Uint32Array): void {
  for (let at = 0; at < SPAN; at += 32) {
    span[at] = STATE;
    span[at + 4] = STATE;
    span[at + 8] = STATE;
    span[at + 12] = STATE;
    span[at + 16] = STATE;
    span[at + 20] = STATE;
    span[at + 24] = STATE;
    span[at + 28] = STATE;
  }
}

// Scans a part of a span, or a span with an entry that is not dirty, one entry at a time.
function scan(span: Uint32Array, from: number, to: number): number {
  let at = from;
  while (at < to && (span[at]! & STATE) === DIRTY) at += ENTRY_WORDS;
  return at;
}

function mark(span: Uint32Array, from: number, to: number): void {
  for (let at = from; at < to; at += ENTRY_WORDS) span[at] = STATE;
}

/**
 * The harvester of one ring. It keeps the fetch index, which the mapping does not hold, and the
 * entries of its last harvest. Like the kernel's indices, the fetch index is free-running and wraps
 * at 2^32.
 */
export class Harvester {
  readonly #ring: RingWords;
  #fetchIndex = 0;
  #sorter: RingSorter | null = null;
  /** The entries of the last {@linkcode Harvester.take}. The next one overwrites them. */
  readonly taken: Entries;

  /**
   * Starts at the ring's first entry.
   *
   * @param words The ring's memory, four 32-bit words per entry.
   */
  constructor(words: Uint32Array<ArrayBuffer>) {
    this.#ring = ringWords(words);
    this.taken = allocateEntries(this.size);
  }

  /** The ring's size in entries. */
  get size(): number {
    return this.#ring.words.length / ENTRY_WORDS;
  }

  /** The free-running index (u32) of the next entry to fetch. */
  get fetchIndex(): number {
    return this.#fetchIndex;
  }

  /**
   * Harvests in ring order, from where the last harvest ended.
   *
   * @param limit The most entries to take; by default all dirty ones.
   * @returns The entries taken, valid until the next call.
   */
  take(limit: number = this.size): Entries {
    const taken = harvest(this.#ring, this.#fetchIndex, limit, this.taken);
    this.#fetchIndex = (this.#fetchIndex + taken) >>> 0;
    return this.taken;
  }

  /**
   * Sorts the entries in the ring by slot and offset, and then harvests like
   * {@linkcode Harvester.take}.
   *
   * @param limit The most entries to sort and take; by default all dirty ones.
   * @returns The entries taken, in sorted order, valid until the next call.
   */
  takeSorted(limit: number = this.size): Entries {
    this.#sorter ??= new RingSorter(this.#ring.words);
    return this.take(this.#sorter.sort(this.#fetchIndex, limit));
  }

  /** Leaves entries unharvested: a gap, at which a reset will stop. */
  skip(entries: number): void {
    this.#fetchIndex = (this.#fetchIndex + entries) >>> 0;
  }

  /**
   * Moves to another entry, for instance back to entries that were skipped.
   *
   * @param fetchIndex The free-running index (u32) of the next entry to fetch.
   */
  seek(fetchIndex: number): void {
    this.#fetchIndex = fetchIndex >>> 0;
  }

  /** The number of entries that are dirty, or harvested but not reset yet. */
  get held(): number {
    const { words } = this.#ring;
    let held = 0;
    let at = nextHeld(words, 0);
    for (; at < words.length; at = nextHeld(words, at + ENTRY_WORDS)) held++;
    return held;
  }
}

const WARM_ENTRIES = 512;
const WARM_TIMES = 300;

/**
 * Harvests a made-up ring until V8 has compiled the loop. Otherwise the first harvest of a process
 * takes ten times as long as a later one, and a vCPU with a full ring waits for it.
 *
 * @param rings The words of rings that will be harvested. Their pages are touched here, since the
 * kernel maps each at the first access. Do not pass rings of a model: that would only use memory.
 */
export function warmHarvest(rings: readonly Uint32Array[] = []): void {
  for (const words of rings) {
    for (let at = 0; at < words.length; at += PAGE_WORDS) Atomics.load(words, at);
  }
  const words = new Uint32Array(WARM_ENTRIES * ENTRY_WORDS);
  const ring = ringWords(words);
  const into = allocateEntries(WARM_ENTRIES);
  for (let n = 0; n < WARM_TIMES; n++) {
    for (let at = 0; at < words.length; at += ENTRY_WORDS) words[at] = DIRTY;
    harvest(ring, n * 7, WARM_ENTRIES - n % 3, into);
  }
}
