import { HostError } from "../ffi/host_error.ts";
import { KernelError } from "../ffi/kernel_error.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 } from "../ffi/kvm_constants.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import { nanoseconds, nanosecondsSince } from "../ffi/nanoseconds.ts";
import { Mapping } from "../kvm/mapping.ts";
import type { PageNumbers } from "../ring/page_numbers.ts";
import { scanBitmap } from "../ring/scan_bitmap.ts";
import type { GuestVm, Tracking } from "./guest_vm.ts";

/**
 * How a bitmap is re-armed: by `KVM_GET_DIRTY_LOG` itself, or by `KVM_CLEAR_DIRTY_LOG` after it, with
 * `KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2`.
 */
export type BitmapKind = "bitmap" | "bitmap-manual";

/** `KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE` of <linux/kvm.h>. */
const MANUAL_PROTECT_ENABLE = 1;
/** A bitmap is made of words of 64 bits, whatever a slot's pages are. */
const WORD_PAGES = 64;

/**
 * Dirty pages tracked in a bitmap for each logged slot, as KVM does without the ring.
 *
 * @param kind How it is re-armed.
 * @returns The tracking, for {@linkcode GuestVm}; vCPUs need nothing for it.
 */
export function bitmapTracking(kind: BitmapKind): Tracking<unknown> {
  return {
    prepare(system, vm) {
      if (kind === "bitmap") return;
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
    },
    equip: () => ({}),
  };
}

interface SlotLog {
  readonly slot: number;
  readonly first: number;
  readonly pages: number;
  readonly address: number;
  readonly words: Uint32Array<ArrayBuffer>;
}

/** The dirty bitmaps of a VM's logged slots. vCPUs stand still while it is used. */
export class BitmapLog implements Disposable {
  readonly #vm: GuestVm;
  readonly #kind: BitmapKind;
  readonly #memory: Mapping;
  readonly #slots: readonly SlotLog[];
  #learnNs = 0;
  #scanNs = 0;
  #rearmNs = 0;

  /**
   * Makes room for the bitmaps.
   *
   * @param kernel The kernel that answers.
   * @param vm A VM that was made with {@linkcode bitmapTracking} of the same kind.
   * @param kind How it is re-armed.
   * @throws {KernelError} Where memory cannot be mapped.
   */
  constructor(kernel: Kernel, vm: GuestVm, kind: BitmapKind) {
    this.#vm = vm;
    this.#kind = kind;
    const logged = vm.plan.slots.filter((slot) => slot.logged);
    const bytesOf = (pages: number) => Math.ceil(pages / WORD_PAGES) * (WORD_PAGES / 8);
    const bytes = logged.reduce((sum, { pages }) => sum + bytesOf(pages), 0);
    this.#memory = Mapping.anonymous(
      kernel,
      Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE,
      "dirty bitmaps",
    );
    const { address, words } = this.#memory;
    let first = 0;
    let at = 0;
    this.#slots = logged.map(({ id, addressSpace, pages }) => {
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

  /** Nanoseconds of the last {@linkcode BitmapLog.learn}: the calls and the scan. */
  get learnNs(): number {
    return this.#learnNs;
  }

  /** Nanoseconds of them in the scan alone: turning bitmaps into page numbers. */
  get scanNs(): number {
    return this.#scanNs;
  }

  /** Nanoseconds of the last {@linkcode BitmapLog.rearm}; 0 where there was nothing to do. */
  get rearmNs(): number {
    return this.#rearmNs;
  }

  /**
   * Learns which pages are dirty: gets each logged slot's bitmap and turns it into page numbers. With a plain
   * bitmap the pages are then re-armed.
   *
   * @param into Gets the page numbers, counted over all logged slots, in order; what it held is dropped. It has
   * room for all logged pages.
   * @returns Dirty pages.
   * @throws {KernelError} Where the kernel refuses.
   */
  learn(into: PageNumbers): number {
    const started = performance.now();
    let scanMs = 0;
    into.length = 0;
    for (const { slot, address, words, first } of this.#slots) {
      this.#vm.vm.getDirtyLog(slot, address);
      const scanned = performance.now();
      scanBitmap(words, first, into);
      scanMs += performance.now() - scanned;
    }
    this.#scanNs = nanoseconds(scanMs);
    this.#learnNs = nanosecondsSince(started);
    return into.length;
  }

  /**
   * Re-arms what the last {@linkcode BitmapLog.learn} found, so that the next store to it is logged again. A
   * plain bitmap has done so already.
   *
   * @throws {KernelError} Where the kernel refuses.
   */
  rearm(): void {
    this.#rearmNs = 0;
    if (this.#kind === "bitmap") return;
    const started = performance.now();
    for (const { slot, pages, address } of this.#slots) {
      this.#vm.vm.clearDirtyLog(slot, 0, pages, address);
    }
    this.#rearmNs = nanosecondsSince(started);
  }

  /** Gives the bitmaps' memory back. */
  [Symbol.dispose](): void {
    this.#memory[Symbol.dispose]();
  }
}
