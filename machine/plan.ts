// From a user's options to a plan of the guest: its memory layout and its list of stores.
import type { Naming } from "../ffi/errors.ts";
import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import type { Guest, GuestName } from "../guest/guest.ts";
import { long64 } from "../guest/long64.ts";
import { generate, type Pattern } from "../guest/pattern.ts";
import { real16 } from "../guest/real16.ts";
import { ValueError } from "../host/errors.ts";
import type { Slot } from "../ring/entry.ts";

/** The options of a lab, as the user gave them. */
export interface LabOptions {
  /** The guest program. */
  readonly guest: GuestName;
  /** vCPUs. */
  readonly vcpus: number;
  /** Logged guest memory in bytes. */
  readonly memory: number;
  /** Memory slots that it is split into. */
  readonly slots: number;
  /** The size of each ring in bytes, the unit that the kernel takes. */
  readonly ringBytes: number;
  /** The access pattern. */
  readonly pattern: Pattern;
  /** Stores in a round, over all vCPUs; by default 256, or as many as a pattern file has. */
  readonly pages: number | undefined;
  /** Rounds. */
  readonly rounds: number;
  /** Seed of the random patterns. */
  readonly seed: number;
  /**
   * How often each vCPU's block of the pattern is repeated in its part of the list; once unless
   * given. With more passes, a vCPU reaches the end of its list less often. It may also be a
   * function of the pattern's number of stores.
   */
  readonly passes?: number | ((stores: number) => number);
}

/** The options with all defaults resolved. Every result of a lab shows them. */
export interface ResolvedOptions {
  /** The guest program. */
  readonly guest: GuestName;
  /** vCPUs. */
  readonly vcpus: number;
  /** Logged guest memory in bytes. */
  readonly memory: number;
  /** Memory slots that it is split into. */
  readonly slots: number;
  /** The size of each ring in entries; the schema calls it `ring`. */
  readonly ring: number;
  /** The access pattern, as the user wrote it. */
  readonly pattern: string;
  /** Stores in a round, over all vCPUs. */
  readonly pages: number;
  /** Rounds. */
  readonly rounds: number;
  /** Seed of the random patterns. */
  readonly seed: number;
}

/** A lab as planned, before any call to the kernel. */
export interface Plan {
  /** The guest program. */
  readonly guest: Guest;
  /** The options as resolved. */
  readonly options: ResolvedOptions;
  /** The size of each ring in bytes. */
  readonly ringBytes: number;
  /** Slot 0, which is not logged, and the logged slots after it. */
  readonly slots: readonly Slot[];
  /** The access list: a page number for each store of a round, counted over all logged slots. */
  readonly sequence: Uint32Array<ArrayBuffer>;
  /** Each vCPU's part of the access list. */
  readonly blocks: readonly Block[];
}

const DEFAULT_PAGES = 256;
/** The guest programs. */
export const GUESTS: Readonly<Record<GuestName, Guest>> = { real16, long64 };
/**
 * The list has room for at least this many elements, so that the two stores of a probe of the guest
 * fit.
 */
const LEAST_LIST = 2;

/**
 * Plans a lab: builds the pattern's sequence and lays out guest memory. Slot 0 holds the guest's
 * code and its access list, begins at guest physical address 0 and is not logged; the logged slots
 * follow it without a gap.
 *
 * @param options The options, as the user gave them.
 * @param readFile Reads the pattern file, if the pattern is one, given the number of logged pages.
 * @throws {ValueError} If a value is not possible.
 */
export function planLab(
  options: LabOptions,
  readFile?: (pages: number) => Uint32Array<ArrayBuffer>,
): Plan {
  const guest = GUESTS[options.guest];
  const { vcpus, memory, pattern, seed, rounds } = options;
  const pages = memory / PAGE_SIZE;
  checkMemory(options, guest);
  const listed = readFile?.(pages) ?? null;
  const stores = options.pages ?? listed?.length ?? DEFAULT_PAGES;
  checkStores(stores, options);
  const { passes: asked = 1 } = options;
  const passes = typeof asked === "number" ? asked : asked(stores);
  const length = stores * passes;
  const slot0Bytes = slot0Size(guest, length);
  checkReach(slot0Bytes, length, options, guest);
  const sequence = buildSequence(options, stores, listed);
  const once = sharesOf(stores, vcpus);
  return {
    guest,
    options: {
      guest: guest.name,
      vcpus,
      memory,
      slots: options.slots,
      ring: options.ringBytes / kvm_dirty_gfn.size,
      pattern: patternText(pattern),
      pages: stores,
      rounds,
      seed,
    },
    ringBytes: options.ringBytes,
    slots: layOut(slot0Bytes / PAGE_SIZE, pages, options.slots),
    sequence: passes === 1 ? sequence : repeatBlocks(sequence, once, passes),
    blocks: once.map(({ first, stores }) => ({ first: first * passes, stores: stores * passes })),
  };
}

/**
 * The size of slot 0: the guest's code, and its access list.
 *
 * @param length Elements of the list.
 * @returns Bytes, whole pages.
 */
export function slot0Size({ listAt, listElement }: Guest, length: number): number {
  const list = Math.max(length, LEAST_LIST) * listElement;
  return listAt + Math.ceil(list / PAGE_SIZE) * PAGE_SIZE;
}

function checkMemory({ memory, slots }: LabOptions, guest: Guest): void {
  if (memory < PAGE_SIZE || memory % PAGE_SIZE !== 0) {
    throw new ValueError(
      { memory },
      (name) => `${name("memory")} ${memory} bytes: expected a multiple of ${PAGE_SIZE}`,
    );
  }
  if (memory >= guest.addressLimit) {
    throw new ValueError(
      { memory },
      (name) => `${unreachable(name, memory, guest)}, its code among it; expected less`,
    );
  }
  if (slots > memory / PAGE_SIZE) {
    throw new ValueError(
      { slots, memory },
      (name) =>
        `${name("slots")} ${slots}: ${sizeText(memory)} of memory is only ` +
        `${memory / PAGE_SIZE} pages; expected a page or more for each slot`,
      { least: 1, most: memory / PAGE_SIZE },
    );
  }
}

// Checked before the list is built, since it may be large.
function checkReach(
  slot0Bytes: number,
  stores: number,
  { memory }: LabOptions,
  guest: Guest,
): void {
  const left = guest.addressLimit - slot0Bytes;
  if (memory <= left) return;
  const list = `slot 0 takes ${sizeText(slot0Bytes)} for the guest's code and the list of its ` +
    `${stores} stores`;
  if (left < PAGE_SIZE) {
    throw new ValueError(
      { pages: stores },
      (name) => `${name("pages")} ${stores}: ${list}, and ${guest.limitReason}; expected fewer`,
    );
  }
  throw new ValueError(
    { memory, pages: stores },
    (name) =>
      `${unreachable(name, memory, guest)}, and ${list}; expected at most ${sizeText(left)}, ` +
      `or fewer stores with ${name("pages")}`,
    { least: PAGE_SIZE, most: left },
  );
}

function unreachable(name: Naming, memory: number, guest: Guest): string {
  return `${name("memory")} ${sizeText(memory)}: ${guest.limitReason}`;
}

// A size as the command line takes it, such as 5GiB or 4095MiB, or in bytes.
function sizeText(bytes: number): string {
  for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]] as const) {
    if (bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes} bytes`;
}

function buildSequence(
  { memory, pattern, slots, seed }: LabOptions,
  stores: number,
  listed: Uint32Array<ArrayBuffer> | null,
): Uint32Array<ArrayBuffer> {
  if (pattern.name === "file") {
    if (listed === null) throw new TypeError("Cannot build a file's sequence without the file");
    return stores <= listed.length
      ? listed.subarray(0, stores)
      : Uint32Array.from({ length: stores }, (_, n) => listed[n % listed.length]!);
  }
  const pages = memory / PAGE_SIZE;
  const slotPages = Math.floor(pages / slots);
  const half = Math.max(1, pages >> 1);
  return generate(pattern, {
    stores,
    pages,
    firstHalf: slots > 1 ? slotPages : half,
    secondHalf: slots > 1 ? slotPages * (slots - 1) : Math.min(half, pages - 1),
    seed,
  });
}

/**
 * The number of low bits of a stored value that hold the vCPU's id. The other bits are a counter
 * that only grows.
 *
 * @returns Bits; 0 for one vCPU.
 */
export function vcpuBits(vcpus: number): number {
  return Math.ceil(Math.log2(vcpus));
}

function checkStores(stores: number, { vcpus, rounds }: LabOptions): void {
  const most = 2 ** (32 - vcpuBits(vcpus));
  const each = Math.ceil(stores / vcpus) * rounds;
  if (each < most) return;
  throw new ValueError(
    { pages: stores, rounds },
    (name) =>
      `${name("pages")} ${stores}, ${
        name("rounds")
      } ${rounds}: ${each} stores for a vCPU, but the ` +
      `counter that they write has room for ${most - 1} beside the vCPU's number; expected fewer`,
  );
}

function layOut(slot0Pages: number, pages: number, count: number): Slot[] {
  const slots = [{ id: 0, addressSpace: 0, gfn: 0, pages: slot0Pages, logged: false }];
  const each = Math.floor(pages / count);
  for (let n = 0; n < count; n++) {
    const rest = n === count - 1 ? pages - each * count : 0;
    slots.push({
      id: n + 1,
      addressSpace: 0,
      gfn: slot0Pages + n * each,
      pages: each + rest,
      logged: true,
    });
  }
  return slots;
}

function patternText(pattern: Pattern): string {
  if (pattern.name === "file") return `file:${pattern.path}`;
  return pattern.parameter === 0 ? pattern.name : `${pattern.name}:${pattern.parameter}`;
}

/** A vCPU's part of the access list. */
export interface Block {
  /** Index of its first element. */
  readonly first: number;
  /** The number of its elements. */
  readonly stores: number;
}

/**
 * Divides stores into contiguous blocks; the first few blocks may have one store more.
 *
 * @param stores Stores of the pattern.
 * @returns A block for each vCPU.
 */
export function sharesOf(stores: number, vcpus: number): Block[] {
  const each = Math.floor(stores / vcpus);
  const more = stores % vcpus;
  return Array.from({ length: vcpus }, (_, id) => ({
    first: id * each + Math.min(id, more),
    stores: id < more ? each + 1 : each,
  }));
}

/**
 * Repeats each block in place.
 *
 * @param sequence The pattern: a page number for each store.
 * @param blocks The vCPUs' blocks of it.
 * @param passes How often each block is repeated, one copy after another.
 * @returns The list.
 */
export function repeatBlocks(
  sequence: Uint32Array<ArrayBuffer>,
  blocks: readonly Block[],
  passes: number,
): Uint32Array<ArrayBuffer> {
  const list = new Uint32Array(sequence.length * passes);
  for (const { first, stores } of blocks) {
    const block = sequence.subarray(first, first + stores);
    for (let n = 0; n < passes; n++) list.set(block, first * passes + n * stores);
  }
  return list;
}

/**
 * How often to repeat a vCPU's block so that its part of the list is long, and seldom begun again.
 *
 * @param stores Stores of the pattern, over all vCPUs.
 * @param least The least number of elements of a vCPU's part of the list.
 * @returns Passes, at least one.
 */
export function passesFor(stores: number, vcpus: number, least: number): number {
  return Math.max(1, Math.ceil(least / Math.max(1, Math.floor(stores / vcpus))));
}
