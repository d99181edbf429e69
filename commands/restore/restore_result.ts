// The result of `dirtyring restore`, and the check of every page behind it.

import type { SkippedFile } from "../../checkpoint/checkpoint_chain.ts";
import type { CheckpointHeader } from "../../checkpoint/checkpoint_header.ts";
import type { InterruptSignal, InterruptWatch } from "../../host/interrupt.ts";
import type { TrackingKind } from "../../machine/dirty_tracker.ts";
import type { GuestVm, LabResult } from "../../machine/guest_vm.ts";
import { PAGE_WORDS, type PageName } from "../../ring/entry.ts";

/** A check of all pages of a restored machine, made while its vCPUs were stopped. */
export interface RestoreCheck {
  /**
   * When: right after restoring, after each vCPU had finished its current pass, and after one more
   * pass.
   */
  readonly when: "restored" | "pass finished" | "another pass";
  /** Stores made since the checkpointed machine began, over all vCPUs. */
  readonly stores: number;
  /** Pages that did not hold what that many stores must have left there. */
  readonly wrong: WrongPages;
}

/** The result of `dirtyring restore`. */
export interface RestoreResult extends LabResult {
  /** Name and version of this format. */
  readonly schema: "dirtyring.restore/1";
  /** The folder of the checkpoints. */
  readonly folder: string;
  /** The kernel that ran the machine before. */
  readonly from: CheckpointHeader["kernel"];
  /** How dirty pages were tracked, and are again. */
  readonly tracking: TrackingKind;
  /** The epoch that was restored; 0 is the beginning. */
  readonly epoch: number;
  /** How many files were used. */
  readonly files: number;
  /** Files that were not used. */
  readonly skipped: readonly SkippedFile[];
  /** Pages of logged memory in the files; each counts once. */
  readonly pages: number;
  /** Each vCPU's stores since the beginning. */
  readonly vcpus: readonly {
    /** The vCPU. */
    readonly vcpu: number;
    /** Stores when it was restored. */
    readonly storesBefore: number;
    /** Stores at the end. */
    readonly storesAfter: number;
  }[];
  /** vCPUs whose RFLAGS were saved without the IOPL of their program; it was set again. */
  readonly withoutIopl: number;
  /** The checks that were made. Later ones are left out once something does not hold. */
  readonly checks: readonly RestoreCheck[];
  /** What did not hold, apart from wrong pages. */
  readonly problems: readonly string[];
  /** Whether memory and registers agreed, and no step was lost. */
  readonly ok: boolean;
  /** The failure of a guest or a call that ended the run early, in words; `null` if none did. */
  readonly error: string | null;
  /** The signal that ended it early, or `null`. */
  readonly interrupted: InterruptSignal | null;
}

/** How many stores a vCPU has made. */
export interface StoreCount {
  /** Stores made since the beginning. */
  readonly stores: number;
  /**
   * The number of the store that went to the first element of its list; the stores after it follow
   * the list.
   */
  readonly origin: number;
}

/** A page that does not hold what was last stored to it. */
export interface WrongPage extends PageName {
  /** The counter that it holds. */
  readonly found: number;
  /**
   * What it should hold: a vCPU's last store to it; `null` if the counter is right but the rest of
   * the page is not zero.
   */
  readonly expected: number | null;
}

/** Wrong pages: how many there are, and the first hundred. */
export interface WrongPages {
  /** How many there are. */
  readonly count: number;
  /** The first hundred. */
  readonly pages: readonly WrongPage[];
}

const LISTED = 100;
/** Pages and stores that are looked at between two looks for a signal: some 10 ms. */
const CHUNK_PAGES = 1 << 11;
const CHUNK_STORES = 1 << 14;
const WRAP = 2 ** 32;

// What is known of a page: bits.
const IN_USE = 1;
const STORED = 2;
const RIGHT = 4;

/**
 * Computes what each page of a machine must hold, knowing only how many stores its vCPUs made, and
 * compares. The guests store a counter, so the n-th store of a vCPU puts a known value into a known
 * page. If several vCPUs store to the same page, it may hold the last store of any of them.
 */
export class Counters {
  readonly #vm: GuestVm;
  readonly #known: Uint8Array<ArrayBuffer>;
  /** The first value of each vCPU, and its increment. */
  readonly #values: readonly { readonly value: number; readonly step: number }[];

  /**
   * Prepares the comparison.
   *
   * @param vm The machine, fresh: its counters start where those of the checkpointed machine did.
   */
  constructor(vm: GuestVm) {
    this.#vm = vm;
    this.#known = new Uint8Array(vm.pages.total);
    this.#values = vm.vcpus.map((_, id) => vm.errand(id, 0, 0)); // an errand of no stores
  }

  /** How many pages a file named. */
  get pages(): number {
    return this.#known.reduce((sum, known) => sum + (known & IN_USE), 0);
  }

  /** Includes a page in the comparison even if no vCPU stores to it; it must then be zero. */
  use(page: number): void {
    this.#known[page]! |= IN_USE;
  }

  /**
   * The value of a vCPU's n-th store.
   *
   * @param n Number of the store, from 0.
   */
  valueOf(id: number, n: number): number {
    const { value, step } = this.#values[id]!;
    return (value + (n % WRAP) * step) % WRAP;
  }

  /**
   * Checks all pages that a file named or a vCPU stored to. Behind the counter each must be zero.
   *
   * @param counts How many stores each vCPU has made.
   * @returns The pages that are wrong; `null` if a signal came meanwhile.
   */
  async compare(
    counts: readonly StoreCount[],
    interrupt: InterruptWatch,
  ): Promise<WrongPages | null> {
    const known = this.#known;
    const { memory } = this.#vm;
    for (let page = 0; page < known.length; page++) known[page]! &= IN_USE;
    const expected = new Uint32Array(known.length);
    // For each page, the last vCPU (from 1) that was found to store to it: older stores of the same
    // vCPU are skipped.
    const last = new Uint32Array(known.length);
    let looked = 0;
    using _step = interrupt.progress?.begin({
      what: "checking memory",
      total: known.length,
      done: () => looked,
    });
    for (const [id, { stores, origin }] of counts.entries()) {
      const { first, stores: block } = this.#vm.vcpus[id]!;
      for (let n = stores - 1; n >= Math.max(origin, stores - block); n--) {
        if (n % CHUNK_STORES === 0 && !await isWanted(interrupt)) return null;
        const page = this.#vm.plan.sequence[first + (n - origin) % block]!;
        if (last[page] === id + 1) continue;
        last[page] = id + 1;
        const value = this.valueOf(id, n);
        expected[page] = value;
        known[page]! |= memory[page * PAGE_WORDS] === value ? STORED | RIGHT : STORED;
      }
    }
    const pages: WrongPage[] = [];
    let count = 0;
    for (let page = 0; page < known.length; page++) {
      const of = known[page]!;
      looked = page;
      if (page % CHUNK_PAGES === 0 && !await isWanted(interrupt)) return null;
      if (of === 0) continue;
      const found = memory[page * PAGE_WORDS]!;
      const isRight = (of & STORED) === 0 ? found === 0 : (of & RIGHT) !== 0;
      if (isRight && this.#isRestZero(page)) continue;
      if (count++ >= LISTED) continue;
      // 0 is expected in a page that no vCPU stored to.
      const wanted = isRight ? null : expected[page]!;
      pages.push({ ...this.#vm.pages.name(page), found, expected: wanted });
    }
    return { count, pages };
  }

  #isRestZero(page: number): boolean {
    const { memory } = this.#vm;
    const end = (page + 1) * PAGE_WORDS;
    for (let at = page * PAGE_WORDS + 1; at < end; at++) if (memory[at] !== 0) return false;
    return true;
  }
}

// Gives the event loop a turn, and answers whether no signal has come.
async function isWanted(interrupt: InterruptWatch): Promise<boolean> {
  await interrupt.pause();
  return interrupt.signal === null;
}
