import type { DirtySet } from "../ring/dirty_set.ts";
import { allocatePageNumbers, type PageNumbers } from "../ring/page_numbers.ts";
import { type BitmapKind, BitmapLog } from "../lab/bitmap_log.ts";
import type { DirtyTracker } from "./dirty_tracker.ts";
import type { GuestVm } from "../lab/guest_vm.ts";
import { Problems } from "../lab/problems.ts";

/**
 * Dirty pages tracked in bitmaps. Nothing stops a guest there: it may dirty all of its memory before it is asked
 * again.
 */
export class BitmapTracker implements DirtyTracker {
  readonly #log: BitmapLog;
  readonly #found: PageNumbers;
  /** What did not hold: nothing of it can be told from a bitmap. */
  readonly problems: Problems = new Problems();
  /** Nothing stops a vCPU. */
  readonly holdsBack = false;

  /**
   * Makes room for the bitmaps.
   *
   * @param vm A machine whose tracking is of the same kind.
   * @param kind How a bitmap is re-armed.
   * @throws {KernelError} Where memory cannot be mapped.
   */
  constructor(vm: GuestVm, kind: BitmapKind) {
    this.#log = new BitmapLog(vm.vm.kernel, vm, kind);
    this.#found = allocatePageNumbers(vm.pages.total);
  }

  /**
   * Gets the bitmaps of all slots. With a plain bitmap the pages are then re-armed already.
   *
   * @param pages Gets the pages.
   */
  learn(pages: DirtySet): void {
    const count = this.#log.learn(this.#found);
    const found = this.#found.pages;
    for (let n = 0; n < count; n++) pages.add(found[n]!);
  }

  /** Clears the bitmaps where that is done by hand. */
  rearm(): void {
    this.#log.rearm();
  }

  /** There is no ring that could be full. */
  learnedOf(): number {
    return 0;
  }

  /** A bitmap holds nothing back. */
  conclude(): void {}

  /** Gives the bitmaps' memory back. */
  [Symbol.dispose](): void {
    this.#log[Symbol.dispose]();
  }
}
