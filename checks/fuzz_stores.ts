import type { Random } from "../guest/random.ts";
import { PROGRAM_GFNS } from "./fuzz_program.ts";
import type { FuzzSlots, SlotOp } from "./fuzz_slots.ts";

/** A guest frame that no slot of a program has. */
const HOLE_GFN = 0x8_0000;

/** The lists of pages that a program stores to. */
export class FuzzStores {
  readonly #random: Random;
  readonly #slots: FuzzSlots;
  readonly #isLong: boolean;
  #last: readonly number[] = [];

  /**
   * Begins without a list.
   *
   * @param random Draws.
   * @param slots The slots that there may be.
   * @param isLong Whether lists have to be long to fill a ring.
   */
  constructor(random: Random, slots: FuzzSlots, isLong: boolean) {
    this.#random = random;
    this.#slots = slots;
    this.#isLong = isLong;
  }

  /**
   * Guest frames to store to: the last ones again, which shows what was re-protected, or others.
   *
   * @returns The frames, in order.
   */
  next(): readonly number[] {
    if (this.#last.length === 0 || this.#random(3) > 0) {
      this.#last = storeGfns(this.#random, this.#slots.all, this.#isLong);
    }
    return this.#last;
  }
}

// In order, backward, strided, at random or a few of them over and over, in one slot or across all.
function storeGfns(random: Random, slots: readonly SlotOp[], isLong: boolean): number[] {
  const [first] = slots;
  if (first === undefined) return [HOLE_GFN + random(4)];
  // Few fill a ring: a store to a clean page costs a real kernel 20 µs.
  const many = isLong ? 400 : 150;
  const length = random(4) === 0 ? many + random(80) : 1 + random(24);
  const across = slots.length > 1 && random(3) === 0;
  const one = slots[random(slots.length)] ?? first;
  const page = pattern(random, length);
  const gfns = Array.from({ length }, (_, n) => {
    const slot = across ? slots[n % slots.length]! : one;
    return slot.gfn + page(across ? Math.floor(n / slots.length) : n) % slot.pages;
  });
  // A page behind which there is no slot, seldom.
  if (random(40) === 0) gfns.splice(random(length), 0, HOLE_GFN);
  if (random(60) === 0) gfns.push(Math.max(PROGRAM_GFNS, one.gfn + one.pages));
  return gfns;
}

// Answers the page of a store, by its number.
function pattern(random: Random, length: number): (n: number) => number {
  const start = random(256);
  const few = 1 + random(5);
  switch (random(6)) {
    case 0:
      return (n) => start + length - n;
    case 1: {
      const stride = 2 + random(70);
      return (n) => start + n * stride;
    }
    case 2:
      return (n) => start + n % few;
    case 3:
      return () => random(256);
    default:
      return (n) => start + n;
  }
}
