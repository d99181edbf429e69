// Dirty tracking with bitmaps, for comparison with the ring.
import { HostError, KernelError } from "../ffi/errors.ts";
import { KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 } from "../ffi/kvm_constants.ts";
import { nanoseconds, nanosecondsSince, PAGE_SIZE } from "../ffi/linux.ts";
import { Mapping } from "../kvm/mapping.ts";
import type { System } from "../kvm/system.ts";
import type { Vm } from "../kvm/vm.ts";
import {
  allocatePageNumbers,
  type DirtySet,
  type PageNumbers,
  scanBitmap,
} from "../memory/page_sets.ts";
import type { Slot } from "../ring/entry.ts";
import type {
  BitmapKind,
  DirtyTracker,
  LeftBehind,
  Rearmed,
  TrackingKind,
} from "./dirty_tracker.ts";
import { RingTracker } from "./ring_tracker.ts";

/** `KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE` of <linux/kvm.h>. */
const MANUAL_PROTECT_ENABLE = 1;
/** The kernel's bitmap consists of 64-bit words, however many pages a slot has. */
const WORD_PAGES = 64;

interface SlotLog {
  readonly slot: number;
  readonly first: number;
  readonly pages: number;
  readonly address: number;
  readonly words: Uint32Array<ArrayBuffer>;
}

/** What a tracker allocates once its VM has its slots. */
interface Bitmaps {
  readonly memory: Mapping;
  readonly slots: readonly SlotLog[];
  readonly found: PageNumbers;
}

/**
 * Tracks dirty pages in a bitmap for each logged slot, as KVM does without the ring. vCPUs must
 * stand still while it is used. Unlike a full ring, a bitmap never stops a guest: it may dirty all
 * of its memory before the next look.
 */
export class BitmapTracker implements DirtyTracker {
  /** How its pages are re-protected. */
  readonly kind: BitmapKind;
  #vm: Vm | null = null;
  #bitmaps: Bitmaps | null = null;
  #scanNs = 0;

  /**
   * Creates a tracker for one VM.
   *
   * @param kind How its pages are re-protected.
   */
  constructor(kind: BitmapKind) {
    this.kind = kind;
  }

  /**
   * Enables manual clearing of bitmaps if the kind asks for it. Logging itself is enabled slot by
   * slot.
   *
   * @param system `/dev/kvm`.
   * @throws {HostError} If the kernel has no `KVM_CLEAR_DIRTY_LOG`.
   * @throws {KernelError} If the kernel refuses.
   */
  enable(system: System, vm: Vm): void {
    if (this.kind === "bitmap-manual") protectByHand(system, vm);
    this.#vm = vm;
  }

  /** Does nothing: a bitmap belongs to a slot, not to a vCPU. */
  addVcpu(): null {
    return null;
  }

  get #on(): Vm {
    if (this.#vm !== null) return this.#vm;
    throw new TypeError("Cannot use bitmaps: they are enabled on no VM");
  }

  get #room(): Bitmaps {
    if (this.#bitmaps !== null) return this.#bitmaps;
    throw new TypeError("Cannot use bitmaps: there is no room for them yet, or no more");
  }

  /**
   * Allocates the bitmaps.
   *
   * @param slots The VM's slots.
   * @throws {KernelError} If memory cannot be mapped.
   */
  begin(slots: readonly Slot[]): void {
    const logged = slots.filter((slot) => slot.logged);
    const bytes = logged.reduce((sum, { pages }) => sum + bytesOf(pages), 0);
    const room = Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE;
    const memory = Mapping.anonymous(this.#on.kernel, room, "dirty bitmaps");
    const total = logged.reduce((sum, { pages }) => sum + pages, 0);
    this.#bitmaps = { memory, slots: logsIn(memory, logged), found: allocatePageNumbers(total) };
  }

  /** Does nothing. */
  warm(): void {}

  /**
   * The pages found last, counted over all logged slots, in order. The next `learn` overwrites
   * them.
   */
  get found(): PageNumbers {
    return this.#room.found;
  }

  /**
   * Nanoseconds that the last {@linkcode BitmapTracker.learn} spent turning bitmaps into page
   * numbers.
   */
  get scanNs(): number {
    return this.#scanNs;
  }

  /**
   * Learns which pages are dirty: gets each logged slot's bitmap and turns it into page numbers.
   * With a plain bitmap, getting it also re-protects the pages.
   *
   * @returns The number of dirty pages.
   * @throws {KernelError} If the kernel refuses.
   */
  learn(): number {
    const vm = this.#on;
    const { slots, found } = this.#room;
    let scanMs = 0;
    found.length = 0;
    for (const { slot, address, words, first } of slots) {
      vm.getDirtyLog(slot, address);
      const scanned = performance.now();
      scanBitmap(words, first, found);
      scanMs += performance.now() - scanned;
    }
    this.#scanNs = nanoseconds(scanMs);
    return found.length;
  }

  /** Adds the pages found last. */
  addTo(pages: DirtySet): void {
    const { pages: found, length } = this.found;
    for (let n = 0; n < length; n++) pages.add(found[n]!);
  }

  /**
   * Re-protects the pages that the last {@linkcode BitmapTracker.learn} found, so that the next
   * store to each is logged again. Getting a plain bitmap did that already.
   *
   * @returns How long it took; there is no count.
   * @throws {KernelError} If the kernel refuses.
   */
  rearm(): Rearmed {
    if (this.kind === "bitmap") return NOTHING_TO_DO;
    const vm = this.#on;
    const { slots } = this.#room;
    const started = performance.now();
    for (const { slot, pages, address } of slots) vm.clearDirtyLog(slot, 0, pages, address);
    return { count: null, ns: nanosecondsSince(started) };
  }

  /** Always 0: there is no ring that could be full. */
  learnedOf(): number {
    return 0;
  }

  /** Always empty: a bitmap leaves nothing behind. */
  left(): readonly LeftBehind[] {
    return [];
  }

  /** Unmaps the bitmaps' memory. */
  [Symbol.dispose](): void {
    this.#bitmaps?.memory[Symbol.dispose]();
    this.#bitmaps = null;
  }
}

const NOTHING_TO_DO: Rearmed = { count: null, ns: 0 };

/**
 * Creates a tracker of the given kind, for a new VM.
 *
 * @param kind How it tracks.
 * @param ringBytes The size of each ring in bytes; not used with bitmaps.
 */
export function trackerOf(kind: TrackingKind, ringBytes: number): DirtyTracker {
  return kind === "ring" ? new RingTracker(ringBytes) : new BitmapTracker(kind);
}

function protectByHand(system: System, vm: Vm): void {
  const value = system.checkExtension(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2);
  if ((value & MANUAL_PROTECT_ENABLE) === 0) {
    throw new HostError(
      `KVM_CHECK_EXTENSION(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2): ${value}, this kernel clears ` +
        "no dirty log by hand",
      "boot Linux 5.2 or newer, or track with a plain bitmap",
    );
  }
  const answer = vm.enableCap(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, MANUAL_PROTECT_ENABLE);
  if (answer === 0) return;
  throw new KernelError("KVM_ENABLE_CAP(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 1)", answer);
}

function bytesOf(pages: number): number {
  return Math.ceil(pages / WORD_PAGES) * (WORD_PAGES / 8);
}

// A bitmap for each slot, one after another in the memory.
function logsIn({ address, words }: Mapping, logged: readonly Slot[]): SlotLog[] {
  let first = 0;
  let at = 0;
  return logged.map(({ id, addressSpace, pages }) => {
    const slot = {
      slot: addressSpace * 2 ** 16 + id,
      first,
      pages,
      address: address + at,
      words: words.subarray(at / 4, (at + bytesOf(pages)) / 4),
    };
    first += pages;
    at += bytesOf(pages);
    return slot;
  });
}
