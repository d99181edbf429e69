import { KVM_MEM_LOG_DIRTY_PAGES } from "../ffi/kvm_constants.ts";
import type { Random } from "../guest/random.ts";
import { type FuzzOp, HOST_PAGES, PROGRAM_GFNS, TOO_MANY_PAGES } from "./fuzz_program.ts";

/** An operation that asks for a slot. */
export type SlotOp = Extract<FuzzOp, { readonly do: "slot" }>;

/** Where a slot may lie: areas of so many pages, some of them beyond 4 GiB. */
const AREA_PAGES = 0x200;
const AREAS = 6;
const HIGH_GFN = 0x10_0000;
const SLOT_IDS = 6;
/** `KVM_MEM_READONLY`: a store to such a slot ends in an exit. */
const READ_ONLY = 2;

/**
 * The slots that a program has if all goes as documented, so that its next operations meet them. Nothing
 * is compared with this.
 */
export class FuzzSlots {
  readonly #random: Random;
  readonly #isLarge: boolean;
  readonly #slots = new Map<number, SlotOp>();

  /**
   * Begins without slots.
   *
   * @param random Draws.
   * @param isLarge Whether slots have to be large for their pages to fill a ring.
   */
  constructor(random: Random, isLarge: boolean) {
    this.#random = random;
    this.#isLarge = isLarge;
  }

  /** The slots. */
  get all(): readonly SlotOp[] {
    return [...this.#slots.values()];
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random(from.length)]!; // a whole number below the length
  }

  /**
   * A slot that may well be new: it may also overlap another, or have the id of one.
   *
   * @returns The operation.
   */
  add(): SlotOp {
    const large = this.#isLarge ? HOST_PAGES : 256;
    const pages = this.#pick([1, 8, 63, 64, 65, 200, large, large]);
    const area = this.#random(AREAS);
    const base = area < AREAS - 1 ? PROGRAM_GFNS + area * AREA_PAGES : HIGH_GFN;
    return this.#note({
      do: "slot",
      slot: 1 + this.#random(SLOT_IDS),
      gfn: base + this.#random(3) * 32,
      pages,
      flags: this.#random(5) === 0 ? 0 : KVM_MEM_LOG_DIRTY_PAGES,
      hostPage: this.#random(HOST_PAGES - pages + 1),
      skew: 0,
    });
  }

  /**
   * A change of slots, valid or not.
   *
   * @returns The operation.
   */
  change(): SlotOp {
    const known = this.all;
    if (known.length === 0) return this.add();
    const one = this.#pick(known);
    const logged = KVM_MEM_LOG_DIRTY_PAGES;
    switch (this.#random(16)) {
      case 0:
      case 1:
        return this.#note({ ...one, pages: 0 });
      case 2:
      case 3:
      case 4:
        return this.#note({ ...one, flags: one.flags ^ logged });
      case 5:
      case 6:
        return this.#note({ ...one, gfn: one.gfn + this.#pick([1, 16, AREA_PAGES]) });
      case 7:
        return this.#note({ ...one, gfn: one.gfn + AREA_PAGES, flags: one.flags ^ logged });
      case 8:
        // Another slot over the same host memory.
        return this.#note({ ...one, slot: this.#random(SLOT_IDS) + 1, gfn: one.gfn + AREA_PAGES });
      case 9:
        // Over the guest's own slot, or as it was.
        return this.#random(2) === 0 ? { ...one, slot: 7, gfn: this.#random(8) } : one;
      case 10:
        return { ...one, pages: this.#pick([one.pages > 1 ? 1 : 2, TOO_MANY_PAGES]) };
      case 11:
        return { ...one, flags: this.#pick([4, 8, 2 ** 31, logged | READ_ONLY]) };
      case 12:
        return { ...one, skew: 1 + this.#random(3) };
      case 13:
        return {
          ...one,
          slot: this.#pick([7, 32764, 0xffff, 1 << 17]),
          pages: this.#pick([0, one.pages]),
        };
      default:
        return this.add();
    }
  }

  // What becomes of the slots if the kernel keeps the rules that abi.md stands on.
  #note(op: SlotOp): SlotOp {
    const old = this.#slots.get(op.slot);
    if (op.pages === 0) this.#slots.delete(op.slot);
    else if (old === undefined || (old.pages === op.pages && old.hostPage === op.hostPage)) {
      const overlaps = this.all.some((one) =>
        one.slot !== op.slot && op.gfn < one.gfn + one.pages && one.gfn < op.gfn + op.pages
      );
      if (!overlaps) this.#slots.set(op.slot, op);
    }
    return op;
  }
}
