import {
  KVM_CAP_DIRTY_LOG_RING,
  KVM_CAP_DIRTY_LOG_RING_ACQ_REL,
  KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP,
  KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
  KVM_DIRTY_LOG_PAGE_OFFSET,
} from "../ffi/kvm_constants.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import { type Random, seeded } from "../guest/random.ts";
import type { FuzzOp, FuzzOpName, FuzzProgram } from "./fuzz_program.ts";
import { FuzzSlots } from "./fuzz_slots.ts";
import { FuzzStores } from "./fuzz_stores.ts";

/** Ring sizes, in the smallest that the host accepts. */
const RINGS: readonly number[] = [1, 1, 1, 1, 2, 4];
const ALL = 65536;

/** How often each operation comes: its share of the sum. */
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

/** What often comes after an operation, so that programs get somewhere. */
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
 * One of many programs: the same seed and number give the same program on every host whose smallest ring is
 * of the same size. With PML that is 16 KiB, and smaller ones would only be refused.
 *
 * @example
 * ```ts
 * import { generateProgram } from "./fuzz_generate.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(generateProgram(1, 7), generateProgram(1, 7));
 * ```
 *
 * @param seed The seed.
 * @param number The program's number, from 0.
 * @param smallestRing Bytes of the smallest ring that the host accepts.
 * @returns The program.
 */
export function generateProgram(
  seed: number,
  number: number,
  smallestRing: number = PAGE_SIZE,
): FuzzProgram {
  // A seed of its own for each: neighbours in a series would share their first numbers.
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
    // Mostly the vCPU of the operation before; seldom one that is not there.
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
  // Where no push wrote, an entry that is marked harvested ends the vCPU's runs.
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
  // Mostly so near to genuine ones that a batch takes both; past the slot's end it is then dropped.
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
