// Generates random fuzz programs from a seed.
import {
  KVM_CAP_DIRTY_LOG_RING,
  KVM_CAP_DIRTY_LOG_RING_ACQ_REL,
  KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP,
  KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
  KVM_DIRTY_LOG_PAGE_OFFSET,
  KVM_MEM_LOG_DIRTY_PAGES,
} from "../../ffi/kvm_constants.ts";
import { PAGE_SIZE } from "../../ffi/linux.ts";
import { type Random, seeded } from "../../guest/pattern.ts";
import {
  type FuzzOp,
  type FuzzOpName,
  type FuzzProgram,
  HOST_PAGES,
  PROGRAM_GFNS,
  TOO_MANY_PAGES,
} from "./program.ts";

/** Ring sizes, as multiples of the smallest that the host accepts. */
const RINGS: readonly number[] = [1, 1, 1, 1, 2, 4];
const ALL = 65536;

/** How often each operation is drawn, as a share of the sum. */
const SHARES: Readonly<Record<FuzzOpName, number>> = {
  store: 30,
  harvest: 20,
  reset: 12,
  slot: 14,
  forge: 8,
  mark: 6,
  resume: 2,
  skip: 6,
  fill: 5,
  map: 2,
  interrupted: 1,
  enable: 1,
  log: 1,
  create: 1,
  close: 1,
};
// The keys of SHARES are names of operations; TypeScript types them as string.
const DECK = (Object.keys(SHARES) as FuzzOpName[]).flatMap((name) =>
  Array.from({ length: SHARES[name] }, () => name)
);

/**
 * Operations that make sense after an operation. They are drawn half of the time, so that programs
 * get somewhere.
 */
const SEQUELS: Readonly<Partial<Record<FuzzOpName, readonly FuzzOpName[]>>> = {
  store: ["harvest", "harvest", "harvest", "skip", "resume"],
  harvest: ["reset", "reset", "reset", "forge", "mark"],
  skip: ["harvest"],
  fill: ["reset"],
  forge: ["harvest", "reset"],
  mark: ["reset"],
  reset: ["store", "store", "store", "resume", "fill"],
  slot: ["store", "reset"],
};

/**
 * Generates a program. The same seed and number give the same program on every host with the same
 * smallest ring. With PML that is 16 KiB; smaller rings would only be refused.
 *
 * @example
 * ```ts
 * import { generateProgram } from "./generate.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(generateProgram(1, 7), generateProgram(1, 7));
 * ```
 *
 * @param number The program's number, from 0.
 * @param smallestRing Bytes of the smallest ring that the host accepts.
 */
export function generateProgram(
  seed: number,
  number: number,
  smallestRing: number = PAGE_SIZE,
): FuzzProgram {
  // Give each program a seed of its own: consecutive seeds would share their first random numbers.
  const random = seeded(seeded(seed)(2 ** 21) * 2 ** 32 + (seed + number) % 2 ** 32);
  const ringBytes = pick(random, RINGS) * smallestRing;
  const vcpus = random(24) === 0 ? 0 : 1 + Math.min(random(4), random(4));
  const logProgram = random(24) === 0 ? 1 : 0;
  const isLarge = smallestRing > PAGE_SIZE;
  const slots = new FuzzSlots(random, isLarge);
  const stores = new FuzzStores(random, slots, isLarge);
  const ops: FuzzOp[] = [];
  for (let n = random(3); n >= 0; n--) ops.push(slots.add());
  if (vcpus === 0) ops.push(enable(random), { do: "create", id: random(3) });
  let last: FuzzOpName = "slot";
  let vcpu = 0;
  for (let n = 5 + random(36); n > 0; n--) {
    const sequels: readonly FuzzOpName[] | undefined = random(2) === 0 ? SEQUELS[last] : undefined;
    last = pick(random, sequels ?? DECK);
    // A sequel keeps the vCPU. Seldom, choose a vCPU that does not exist.
    if (sequels === undefined) vcpu = random(60) === 0 ? vcpus : random(vcpus);
    ops.push(operation(last, random, vcpu, vcpus, slots, stores));
  }
  return { ringBytes, vcpus, logProgram, ops };
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random(from.length)]!; // a whole number below the length
}

function operation(
  name: FuzzOpName,
  random: Random,
  vcpu: number,
  vcpus: number,
  slots: FuzzSlots,
  stores: FuzzStores,
): FuzzOp {
  const count = random(2) === 0 ? ALL : random(24);
  switch (name) {
    case "slot":
      return slots.change();
    case "store":
      return { do: name, vcpu, gfns: stores.next() };
    case "resume":
    case "interrupted":
      return { do: name, vcpu };
    case "harvest":
      return { do: name, vcpu, count };
    case "skip":
      return { do: name, vcpu, count: 1 + random(6) };
    case "fill":
      return { do: name, vcpu, count };
    case "mark":
      return mark(random, vcpu);
    case "forge":
      return forge(random, vcpu, slots);
    case "reset":
      return { do: name, argument: random(8) === 0 ? random(2 ** 32) : 0 };
    case "enable":
      return enable(random);
    case "log":
      return { do: name, slot: random(4), clear: random(2) };
    case "create":
      return { do: name, id: pick(random, [0, vcpus, vcpus + 1, 2 ** 20]) };
    case "close":
      return { do: name, vcpu, unmap: random(3) === 0 ? 1 : 0 };
    case "map":
      return {
        do: name,
        vcpu,
        page: pick(random, [0, 0, 1, 1, 1, 2].map((n) => KVM_DIRTY_LOG_PAGE_OFFSET - 1 + n)),
        pages: 1 + random(5),
        protection: pick(random, [1, 3, 3, 5, 7]),
        flags: 1 + random(2),
      };
  }
}

function mark(random: Random, vcpu: number): FuzzOp {
  // Mostly close to the reset index: marking an entry that was never pushed as harvested ends the
  // vCPU's runs.
  const at = random(8) === 0 ? random(300) : random(6);
  return { do: "mark", vcpu, at, flags: pick(random, [0, 1, 1, 1, 2, 3]) };
}

function forge(random: Random, vcpu: number, slots: FuzzSlots): FuzzOp {
  const known = slots.all.length > 0 ? pick(random, slots.all) : { slot: 1, pages: 1 };
  const id = random(8);
  const slot = id < 6
    ? known.slot
    : id === 6
    ? random(8)
    : pick(random, [1 << 16, 0xffff, 2 ** 31]);
  // Mostly so near to genuine offsets that one batch takes both. A batch that reaches past the
  // slot's end is dropped.
  const end = known.pages;
  const offset = pick(random, [random(64), end - 1 + random(8), end + random(64), random(5000)]);
  return { do: "forge", vcpu, at: random(random(3) === 0 ? 64 : 8), slot, offset };
}

function enable(random: Random): FuzzOp {
  const [capability, argument] = pick(
    random,
    [
      [KVM_CAP_DIRTY_LOG_RING, PAGE_SIZE],
      [KVM_CAP_DIRTY_LOG_RING, 0],
      [KVM_CAP_DIRTY_LOG_RING, 2 ** 21],
      [KVM_CAP_DIRTY_LOG_RING_ACQ_REL, PAGE_SIZE],
      [KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP, 0],
      [KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 0],
      [KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 1],
      [KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 2],
      [KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, 4],
    ] as const,
  );
  return { do: "enable", capability, argument };
}

/** An operation that sets a memory slot. */
export type SlotOp = Extract<FuzzOp, { readonly do: "slot" }>;

/** Where slots lie: areas of this many pages, the last of which is at 4 GiB. */
const AREA_PAGES = 0x200;
const AREAS = 6;
const HIGH_GFN = 0x10_0000;
const SLOT_IDS = 6;
/** `KVM_MEM_READONLY`: a store to such a slot exits to userspace. */
const READ_ONLY = 2;

/**
 * Tracks the slots that a program has if the kernel behaves as documented, so that later operations
 * refer to real slots. It only guides the generator; no result is compared with it.
 */
class FuzzSlots {
  readonly #random: Random;
  readonly #isLarge: boolean;
  readonly #slots = new Map<number, SlotOp>();

  /**
   * Starts without slots.
   *
   * @param random The source of random numbers.
   * @param isLarge Whether slots must be large so that their pages can fill a ring.
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
   * Sets a slot that is probably new, but may overlap another or reuse its id.
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
        // A second slot over the same host memory.
        return this.#note({ ...one, slot: this.#random(SLOT_IDS) + 1, gfn: one.gfn + AREA_PAGES });
      case 9:
        // A slot over the guest's own, or the same slot again.
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

  // Updates the slots as the kernel does, if it follows the rules of KVM_SET_USER_MEMORY_REGION.
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

/** A guest frame outside of all slots. */
const HOLE_GFN = 0x8_0000;

/** Generates the lists of pages that a program stores to. */
class FuzzStores {
  readonly #random: Random;
  readonly #slots: FuzzSlots;
  readonly #isLong: boolean;
  #last: readonly number[] = [];

  /**
   * Starts without a list.
   *
   * @param random The source of random numbers.
   * @param slots The slots to choose pages from.
   * @param isLong Whether lists must be long to fill a ring.
   */
  constructor(random: Random, slots: FuzzSlots, isLong: boolean) {
    this.#random = random;
    this.#slots = slots;
    this.#isLong = isLong;
  }

  /**
   * Returns guest frames to store to: either the last list again, which shows what was
   * re-protected, or a new one.
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

// Pages in order, backward, strided, at random or a few over and over; in one slot or across all.
function storeGfns(random: Random, slots: readonly SlotOp[], isLong: boolean): number[] {
  const [first] = slots;
  if (first === undefined) return [HOLE_GFN + random(4)];
  // Only a few lists fill a ring: a store to a clean page costs a real kernel 20 µs.
  const many = isLong ? 400 : 150;
  const length = random(4) === 0 ? many + random(80) : 1 + random(24);
  const across = slots.length > 1 && random(3) === 0;
  const one = slots[random(slots.length)] ?? first;
  const page = pattern(random, length);
  const gfns = Array.from({ length }, (_, n) => {
    const slot = across ? slots[n % slots.length]! : one;
    return slot.gfn + page(across ? Math.floor(n / slots.length) : n) % slot.pages;
  });
  // Seldom, add a page without a slot.
  if (random(40) === 0) gfns.splice(random(length), 0, HOLE_GFN);
  if (random(60) === 0) gfns.push(Math.max(PROGRAM_GFNS, one.gfn + one.pages));
  return gfns;
}

// Returns a function from a store's number to its page.
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
