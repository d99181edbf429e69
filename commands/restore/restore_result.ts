import type { SkippedFile } from "../../checkpoint/checkpoint_chain.ts";
import type { CheckpointHeader } from "../../checkpoint/checkpoint_header.ts";
import type { InterruptSignal } from "../../host/interrupt.ts";
import type { TrackingKind } from "../../machine/dirty_tracker.ts";
import type { GuestVm, LabResult } from "../../machine/guest_vm.ts";
import { PAGE_WORDS, type PageName } from "../../ring/entry.ts";

/** A look at all pages of a restored machine while its vCPUs stood still. */
export interface RestoreCheck {
  /** When: as it was restored, when each vCPU had finished the pass that it was in, and after a pass more. */
  readonly when: "restored" | "pass finished" | "another pass";
  /** Stores made since the beginning of the machine that was checkpointed, over all vCPUs. */
  readonly stores: number;
  /** Pages that did not hold what so many stores must have left there. */
  readonly wrong: WrongPages;
}

/** `dirtyring restore`: a machine made again from its checkpoints, and run on. */
export interface RestoreResult extends LabResult {
  /** What it is. */
  readonly schema: "dirtyring.restore/1";
  /** The folder of the checkpoints. */
  readonly folder: string;
  /** The kernel that ran the machine before. */
  readonly from: CheckpointHeader["kernel"];
  /** How dirty pages were, and are, tracked. */
  readonly tracking: TrackingKind;
  /** The epoch that was restored: 0 is the beginning. */
  readonly epoch: number;
  /** Files that were used. */
  readonly files: number;
  /** Files that were not used. */
  readonly skipped: readonly SkippedFile[];
  /** Pages of logged memory that the files hold, each counted once. */
  readonly pages: number;
  /** The vCPUs, with the stores of each since the beginning: when it was restored, and at the end. */
  readonly vcpus: readonly {
    /** The vCPU. */
    readonly vcpu: number;
    /** Stores when it was restored. */
    readonly storesBefore: number;
    /** Stores at the end. */
    readonly storesAfter: number;
  }[];
  /** vCPUs whose RFLAGS were saved without the IOPL of their program, and got it again. */
  readonly withoutIopl: number;
  /** What was looked at; not all of it where something did not hold. */
  readonly checks: readonly RestoreCheck[];
  /** What did not hold beside wrong pages. */
  readonly problems: readonly string[];
  /** Whether memory and registers agreed, and no step was lost. */
  readonly ok: boolean;
  /** What ended it before its time, in words: a guest or a call that failed; `null` where nothing did. */
  readonly error: string | null;
  /** The signal that ended it early, or `null`. */
  readonly interrupted: InterruptSignal | null;
}

/** What a vCPU has stored, told by counting. */
export interface StoreCount {
  /** Stores made since the beginning. */
  readonly stores: number;
  /** The store that went to the first element of its list, from which on elements follow each other. */
  readonly origin: number;
}

/** A page that does not hold what was stored to it last. */
export interface WrongPage extends PageName {
  /** The counter that it holds. */
  readonly found: number;
  /** What it should hold: a vCPU's last store to it; `null` where the counter is right, and what is behind it not. */
  readonly expected: number | null;
}

/** Wrong pages: their number, and the first hundred of them. */
export interface WrongPages {
  /** How many there are. */
  readonly count: number;
  /** The first hundred. */
  readonly pages: readonly WrongPage[];
}

const LISTED = 100;
const WRAP = 2 ** 32;

// What is known of a page.
const IN_USE = 1;
const STORED = 2;
const RIGHT = 4;

/**
 * Computes what each page of a machine must hold from nothing but how many stores its vCPUs made, and compares: the
 * guests store a counter, so that the n-th store of a vCPU goes to a known page with a known value. Where more than
 * one vCPU stores to a page, it may hold the last store of any of them.
 */
export class Counters {
  readonly #vm: GuestVm;
  readonly #known: Uint8Array<ArrayBuffer>;
  /** The first value of each vCPU, and what it grows by. */
  readonly #values: readonly { readonly value: number; readonly step: number }[];

  /**
   * Makes ready.
   *
   * @param vm The machine, fresh: its own counters begin where those of its vCPUs did.
   */
  constructor(vm: GuestVm) {
    this.#vm = vm;
    this.#known = new Uint8Array(vm.pages.total);
    this.#values = vm.vcpus.map((_, id) => vm.errand(id, 0, 0)); // of no stores
  }

  /** Pages that are in use: named by a file. */
  get pages(): number {
    return this.#known.reduce((sum, known) => sum + (known & IN_USE), 0);
  }

  /** Takes a page into the comparison even if no vCPU stores to it: it must then be zero. */
  use(page: number): void {
    this.#known[page]! |= IN_USE;
  }

  /**
   * The value of a vCPU's n-th store.
   *
   * @param n The store, from 0.
   */
  valueOf(id: number, n: number): number {
    const { value, step } = this.#values[id]!;
    return (value + (n % WRAP) * step) % WRAP;
  }

  /**
   * Compares all pages that are in use, or were stored to, with what they must hold; the rest of each must be zero.
   *
   * @param counts What each vCPU has stored.
   */
  compare(counts: readonly StoreCount[]): WrongPages {
    const known = this.#known;
    const { memory } = this.#vm;
    for (let page = 0; page < known.length; page++) known[page]! &= IN_USE;
    const expected = new Uint32Array(known.length);
    // The vCPU, from 1, whose last store to a page is known.
    const last = new Uint32Array(known.length);
    counts.forEach(({ stores, origin }, id) => {
      const { first, stores: block } = this.#vm.vcpus[id]!;
      for (let n = stores - 1; n >= Math.max(origin, stores - block); n--) {
        const page = this.#vm.plan.sequence[first + (n - origin) % block]!;
        if (last[page] === id + 1) continue;
        last[page] = id + 1;
        const value = this.valueOf(id, n);
        expected[page] = value;
        known[page]! |= memory[page * PAGE_WORDS] === value ? STORED | RIGHT : STORED;
      }
    });
    const pages: WrongPage[] = [];
    let count = 0;
    for (let page = 0; page < known.length; page++) {
      const of = known[page]!;
      if (of === 0) continue;
      const found = memory[page * PAGE_WORDS]!;
      const isRight = (of & STORED) === 0 ? found === 0 : (of & RIGHT) !== 0;
      if (isRight && this.#isRestZero(page)) continue;
      if (count++ >= LISTED) continue;
      // Where nothing was stored, 0 is expected.
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
