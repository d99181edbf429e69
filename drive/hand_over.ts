// Passes the entries of a full ring from the vCPU's thread, which emptied the ring, to the
// harvester. This is a queue in shared memory with one producer and one consumer: the thread fills
// slots and advances HEAD; the harvester reads them in order and advances TAIL.
import { nanosecondsSince } from "../ffi/linux.ts";
import { allocateEntries, type Entries, ENTRY_WORDS } from "../ring/entry.ts";

/** A ring that its vCPU's own thread emptied, and the reset that it made. */
export interface HandedRing {
  /** Its entries. */
  readonly entries: Entries;
  /** What `KVM_RESET_DIRTY_RINGS` returned: the number of entries reset, or minus an errno. */
  readonly reset: number;
  /** Nanoseconds of the harvest. */
  readonly harvestNs: number;
  /** Nanoseconds of the reset. */
  readonly resetNs: number;
  /** Nanoseconds from the full exit until the vCPU ran again. */
  readonly stopNs: number;
}

/**
 * Entries that all slots of a small ring hold together. A small ring may fill up many times before
 * the harvester looks.
 */
const ENTRIES_WAITING = 8192;

const HEAD = 0;
const TAIL = 1;
const FETCH = 2;
const CONTROL_BYTES = 64;
/** The numbers of a slot, in this order: entries, reset, harvestNs, resetNs, stopNs. */
const NUMBERS = 5;

function slotsOf(ring: number): number {
  return Math.max(2, Math.floor(ENTRIES_WAITING / ring));
}

/** The queue between one vCPU's thread and the harvester. */
export class HandOver {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #numbers: Float64Array<SharedArrayBuffer>;
  readonly #entries: Uint32Array<SharedArrayBuffer>;
  readonly #ring: number;
  readonly #slots: number;
  // Allocated when the first ring arrives: most large rings never fill up.
  #into: Entries | null = null;
  /** The memory itself, to hand to the thread. */
  readonly buffer: SharedArrayBuffer;

  /**
   * Allocates the queue's memory, or views memory that another thread allocated.
   *
   * @param ring Entries of the ring.
   * @param buffer The memory; new, and empty, unless given.
   */
  constructor(ring: number, buffer?: SharedArrayBuffer) {
    this.#ring = ring;
    this.#slots = slotsOf(ring);
    const numbers = this.#slots * NUMBERS;
    const entriesAt = CONTROL_BYTES + numbers * Float64Array.BYTES_PER_ELEMENT;
    const words = this.#slots * ring * ENTRY_WORDS;
    this.buffer = buffer ??
      new SharedArrayBuffer(entriesAt + words * Uint32Array.BYTES_PER_ELEMENT);
    this.#words = new Int32Array(this.buffer, 0, CONTROL_BYTES / Int32Array.BYTES_PER_ELEMENT);
    this.#numbers = new Float64Array(this.buffer, CONTROL_BYTES, numbers);
    this.#entries = new Uint32Array(this.buffer, entriesAt, words);
  }

  /** The ring's fetch index (u32). Only the holder of the reset lock may read or write it. */
  get fetchIndex(): number {
    return this.#words[FETCH]! >>> 0;
  }

  set fetchIndex(index: number) {
    this.#words[FETCH] = index;
  }

  /** Rings handed over so far, a free-running number (i32). */
  get head(): number {
    return Atomics.load(this.#words, HEAD);
  }

  /** Whether a slot is free. */
  get hasRoom(): boolean {
    return ((this.head - Atomics.load(this.#words, TAIL)) | 0) < this.#slots;
  }

  /**
   * Hands a ring over. Called by the vCPU's thread, and only while {@linkcode HandOver.hasRoom}.
   *
   * @param entries Its entries; they are copied.
   * @param numbers The answer of the reset, and the times.
   * @param since When the vCPU stopped, by `performance.now()`.
   * @returns Nanoseconds since then.
   */
  put(entries: Entries, numbers: Omit<HandedRing, "entries" | "stopNs">, since: number): number {
    const { head } = this;
    const slot = (head >>> 0) % this.#slots;
    const words = entries.words.subarray(0, entries.length * ENTRY_WORDS);
    this.#entries.set(words, slot * this.#ring * ENTRY_WORDS);
    const { reset, harvestNs, resetNs } = numbers;
    const stopNs = nanosecondsSince(since);
    this.#numbers.set([entries.length, reset, harvestNs, resetNs, stopNs], slot * NUMBERS);
    Atomics.store(this.#words, HEAD, (head + 1) | 0);
    return stopNs;
  }

  /**
   * Takes rings in the order in which they were handed over. Called by the harvester.
   *
   * @param until The {@linkcode HandOver.head} at which to end: rings handed over later are not
   * taken.
   * @returns The rings; the entries of each are valid until the next one is taken.
   */
  *take(until: number): Generator<HandedRing> {
    for (;;) {
      const tail = Atomics.load(this.#words, TAIL);
      if (((until - tail) | 0) <= 0) return;
      const into = this.#into ??= allocateEntries(this.#ring);
      const slot = (tail >>> 0) % this.#slots;
      const at = slot * NUMBERS;
      const [length, reset, harvestNs, resetNs, stopNs] = this.#numbers.subarray(at, at + NUMBERS);
      const from = slot * this.#ring * ENTRY_WORDS;
      into.words.set(this.#entries.subarray(from, from + length! * ENTRY_WORDS));
      into.length = length!;
      Atomics.store(this.#words, TAIL, (tail + 1) | 0);
      yield {
        entries: into,
        reset: reset!,
        harvestNs: harvestNs!,
        resetNs: resetNs!,
        stopNs: stopNs!,
      };
    }
  }
}
