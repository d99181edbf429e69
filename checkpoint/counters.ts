import { PAGE_WORDS } from "../ring/entry.ts";
import type { PageName } from "../ring/slots.ts";
import type { GuestVm } from "../lab/guest_vm.ts";

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

  /**
   * Takes a page into the comparison even if no vCPU stores to it: it must then be zero.
   *
   * @param page Its number.
   */
  use(page: number): void {
    this.#known[page]! |= IN_USE;
  }

  /**
   * The value of a vCPU's n-th store.
   *
   * @param id The vCPU.
   * @param n The store, from 0.
   * @returns The value.
   */
  valueOf(id: number, n: number): number {
    const { value, step } = this.#values[id]!;
    return (value + (n % WRAP) * step) % WRAP;
  }

  /**
   * Compares all pages that are in use, or were stored to, with what they must hold; the rest of each must be zero.
   *
   * @param counts What each vCPU has stored.
   * @returns The pages that are wrong.
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
