// The model's memory: the slots of a VM, and the address space of the program that maps them.
import { ERRNO } from "../ffi/errors.ts";
import { KVM_MEM_READONLY } from "../ffi/kvm_constants.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";

/** The state of a page in KVM's page tables for the guest. */
export const PageState = {
  /** Not mapped: any access faults. */
  NONE: 0,
  /** Mapped and clean: a store faults, or with PML is logged by the processor. */
  CLEAN: 1,
  /** Mapped and writable: a store goes unnoticed. */
  DIRTY: 2,
} as const;

/** A decoded `struct kvm_userspace_memory_region`. */
export interface RegionRequest {
  /** Address space << 16 | slot id. */
  readonly slot: number;
  /** `KVM_MEM_*` bits. */
  readonly flags: number;
  /** Guest physical address. */
  readonly guest_phys_addr: bigint;
  /** Bytes; 0 deletes the slot. */
  readonly memory_size: bigint;
  /** Address in the program. */
  readonly userspace_addr: bigint;
}

/** `struct kvm_memory_slot`, with the state of its pages in the guest's page tables. */
export interface MemorySlot {
  /** Address space << 16 | slot id. */
  readonly slot: number;
  /** First guest frame. */
  base_gfn: number;
  /** Pages. */
  readonly npages: number;
  /** `KVM_MEM_*` bits. */
  flags: number;
  /** Address in the program. */
  readonly userspace_addr: number;
  /** A {@linkcode PageState} for each page. */
  readonly pages: Uint8Array<ArrayBuffer>;
  /** The dirty bitmap, one byte for each page; `null` if the slot has none. */
  bitmap: Uint8Array<ArrayBuffer> | null;
}

/** `KVM_USER_MEM_SLOTS` of x86. */
export const SLOTS = 32764;
const MAX_PAGES = 2n ** 31n - 1n;
const TASK_SIZE = 2n ** 47n - 4096n;
/** Guest frames that page tables can name, with 52 bits of address. */
const MAX_GFN = 2n ** 40n - 1n;

/** A VM's memory slots, changed as `kvm_set_memory_region` (virt/kvm/kvm_main.c) changes them. */
export class MemorySlots {
  readonly #slots = new Map<number, MemorySlot>();
  /** Number of address spaces: 1, as the model has no SMM. */
  static readonly addressSpaces = 1;

  /** All slots. */
  get all(): Iterable<MemorySlot> {
    return this.#slots.values();
  }

  /**
   * `id_to_memslot`.
   *
   * @param slot Address space << 16 | slot id.
   * @returns The slot, or `undefined`.
   */
  get(slot: number): MemorySlot | undefined {
    return this.#slots.get(slot);
  }

  /**
   * `gfn_to_memslot`.
   *
   * @param gfn A guest frame number.
   * @returns The slot that contains it, or `undefined`.
   */
  find(gfn: number): MemorySlot | undefined {
    for (const slot of this.#slots.values()) {
      if (gfn >= slot.base_gfn && gfn < slot.base_gfn + slot.npages) return slot;
    }
    return undefined;
  }

  /**
   * Makes, moves, changes or deletes a slot.
   *
   * @param onChange Called once the slots have changed, to update the page tables.
   * @returns 0, or minus an errno.
   */
  set(request: RegionRequest, onChange: (change: SlotChange) => void): number {
    const wrong = checkRequest(request);
    if (wrong !== 0) return wrong;
    const old = this.#slots.get(request.slot);
    const npages = Number(request.memory_size / BigInt(PAGE_SIZE));
    const base_gfn = Number(request.guest_phys_addr / BigInt(PAGE_SIZE));
    if (npages === 0) {
      if (old === undefined) return -ERRNO.EINVAL;
      this.#slots.delete(request.slot);
      onChange({ kind: "delete", slot: old, before: old.flags });
      return 0;
    }
    if (old === undefined) return this.#create(request, base_gfn, npages, onChange);
    const readOnlyChanges = ((request.flags ^ old.flags) & KVM_MEM_READONLY) !== 0;
    if (
      Number(request.userspace_addr) !== old.userspace_addr || npages !== old.npages ||
      readOnlyChanges
    ) return -ERRNO.EINVAL;
    if (base_gfn !== old.base_gfn) {
      if (this.#overlaps(request.slot, base_gfn, npages)) return -ERRNO.EEXIST;
      if (beyondReach(base_gfn, npages)) return -ERRNO.EINVAL;
      old.base_gfn = base_gfn;
      const before = old.flags;
      old.flags = request.flags;
      onChange({ kind: "move", slot: old, before });
    } else if (request.flags !== old.flags) {
      const before = old.flags;
      old.flags = request.flags;
      onChange({ kind: "flags", slot: old, before });
    }
    return 0;
  }

  #create(
    request: RegionRequest,
    base_gfn: number,
    npages: number,
    onChange: (change: SlotChange) => void,
  ): number {
    if (this.#overlaps(request.slot, base_gfn, npages)) return -ERRNO.EEXIST;
    if (beyondReach(base_gfn, npages)) return -ERRNO.EINVAL;
    let pages: Uint8Array<ArrayBuffer>;
    try {
      pages = new Uint8Array(npages);
    } catch (error) {
      if (error instanceof RangeError) return -ERRNO.ENOMEM;
      throw error;
    }
    const slot: MemorySlot = {
      slot: request.slot,
      base_gfn,
      npages,
      flags: request.flags,
      userspace_addr: Number(request.userspace_addr),
      pages,
      bitmap: null,
    };
    this.#slots.set(request.slot, slot);
    onChange({ kind: "create", slot, before: 0 });
    return 0;
  }

  #overlaps(slot: number, base_gfn: number, npages: number): boolean {
    for (const other of this.#slots.values()) {
      if (other.slot === slot) continue;
      if (base_gfn < other.base_gfn + other.npages && other.base_gfn < base_gfn + npages) {
        return true;
      }
    }
    return false;
  }
}

/** A change of a slot. */
export interface SlotChange {
  /** What was done. */
  readonly kind: "create" | "delete" | "move" | "flags";
  /** The slot after the change; a deleted one as it was before. */
  readonly slot: MemorySlot;
  /** Its flags before; 0 for a new slot. */
  readonly before: number;
}

// The checks that do not depend on other slots, in the kernel's order.
function checkRequest(request: RegionRequest): number {
  const { slot, guest_phys_addr, memory_size, userspace_addr } = request;
  const page = BigInt(PAGE_SIZE);
  if (memory_size % page !== 0n || guest_phys_addr % page !== 0n) return -ERRNO.EINVAL;
  if (userspace_addr % page !== 0n || userspace_addr + memory_size > TASK_SIZE) {
    return -ERRNO.EINVAL;
  }
  if (slot >>> 16 >= MemorySlots.addressSpaces || (slot & 0xffff) >= SLOTS) return -ERRNO.EINVAL;
  if (guest_phys_addr + memory_size >= 2n ** 64n) return -ERRNO.EINVAL;
  if (memory_size / page > MAX_PAGES) return -ERRNO.EINVAL;
  return 0;
}

function beyondReach(base_gfn: number, npages: number): boolean {
  return BigInt(base_gfn) + BigInt(npages) - 1n > MAX_GFN;
}

/**
 * The memory behind a slot, as far as the program has it mapped contiguously.
 *
 * @param space The program's address space.
 * @returns The memory; empty if nothing is mapped.
 */
export function slotMemory(space: AddressSpace, slot: MemorySlot): Uint8Array<ArrayBuffer> {
  const found = space.at(slot.userspace_addr);
  return found === null
    ? new Uint8Array(0)
    : found.subarray(0, Math.min(found.length, slot.npages * PAGE_SIZE));
}

/** Memory that can be mapped. */
export interface Backing {
  /**
   * The contiguous memory from an offset on.
   *
   * @param offset Bytes from the beginning of the mapping.
   * @returns The memory from there on, or `null` where touching it would be SIGBUS.
   */
  at(offset: number): Uint8Array<ArrayBuffer> | null;
  /**
   * A byte for each page: 1 if the kernel has touched it, so that it may hold anything but zeros.
   * Absent if nobody keeps count; each page then counts as touched.
   */
  readonly touched?: Uint8Array<ArrayBuffer>;
}

interface Region {
  readonly address: number;
  readonly length: number;
  readonly backing: Backing;
  /** Where the region begins in its backing. */
  readonly offset: number;
}

/** Address of the first mapping. A page is left free after each, so that no two are adjacent. */
const FIRST_ADDRESS = 0x7000_0000_0000;
/** The end of user space on x86-64: TASK_SIZE_MAX. */
const MOST_ADDRESS = 2 ** 47 - PAGE_SIZE;
/** Bit 63 of an entry of the page map, in its high word: the page is present. */
const PRESENT = 0x8000_0000;
/** From this size on memory is only reserved: a plain array would be committed at once. */
const PLAIN_BYTES = 2 ** 30;

/** The model's address space of the program: its addresses mean nothing to the real process. */
export class AddressSpace {
  readonly #regions: Region[] = [];
  #next = FIRST_ADDRESS;

  /**
   * Maps memory at a free address.
   *
   * @param length Bytes, above 0.
   * @returns The address, or -ENOMEM.
   */
  map(length: number, backing: Backing): number {
    const pages = Math.ceil(length / PAGE_SIZE);
    const address = this.#next;
    const next = address + (pages + 1) * PAGE_SIZE;
    if (next > MOST_ADDRESS) return -ERRNO.ENOMEM;
    this.#next = next;
    this.#regions.push({ address, length: pages * PAGE_SIZE, backing, offset: 0 });
    return address;
  }

  /**
   * Maps private memory that reads as zero.
   *
   * @param length Bytes, above 0.
   * @returns The address, or -ENOMEM.
   */
  mapAnonymous(length: number): number {
    const pages = Math.ceil(length / PAGE_SIZE);
    const bytes = zeroes(pages * PAGE_SIZE);
    if (bytes === null) return -ERRNO.ENOMEM;
    const touched = new Uint8Array(pages);
    return this.map(length, { at: (offset) => bytes.subarray(offset), touched });
  }

  /**
   * Unmaps a range, which may cover whole mappings or parts of them.
   *
   * @param address Its first byte, a multiple of the page size.
   * @param length Bytes, above 0.
   * @returns 0, or -EINVAL.
   */
  unmap(address: number, length: number): number {
    if (address % PAGE_SIZE !== 0 || length <= 0) return -ERRNO.EINVAL;
    const end = address + Math.ceil(length / PAGE_SIZE) * PAGE_SIZE;
    for (let n = this.#regions.length - 1; n >= 0; n--) {
      const region = this.#regions[n]!;
      const regionEnd = region.address + region.length;
      if (regionEnd <= address || region.address >= end) continue;
      this.#regions.splice(
        n,
        1,
        ...part(region, region.address, address),
        ...part(region, end, regionEnd),
      );
    }
    return 0;
  }

  /**
   * The contiguous memory from an address on.
   *
   * @returns The memory, or `null` where touching it would be a fault.
   */
  at(address: number): Uint8Array<ArrayBuffer> | null {
    const region = this.#find(address);
    if (region === undefined) return null;
    const from = address - region.address;
    return region.backing.at(region.offset + from)?.subarray(0, region.length - from) ?? null;
  }

  #find(address: number): Region | undefined {
    return this.#regions.find((one) =>
      address >= one.address && address < one.address + one.length
    );
  }

  /**
   * Notes that the kernel maps a page for a guest, or writes to it. What the program itself writes
   * goes unnoticed: it has a view of the memory.
   *
   * @param address Any address in the page; it need not be mapped.
   */
  touch(address: number): void {
    const region = this.#find(address);
    const touched = region?.backing.touched;
    if (region === undefined || touched === undefined) return;
    touched[Math.floor((region.offset + address - region.address) / PAGE_SIZE)] = 1;
  }

  /**
   * Fills in a part of `/proc/self/pagemap`: an entry of 64 bits for each page, with bit 63 set if
   * the page was touched.
   *
   * @param into The entries, two words for each, the low one first.
   * @param first The number of the first page: its address / the page size.
   */
  pagemap(into: Uint32Array<ArrayBuffer>, first: number): void {
    into.fill(0);
    for (let n = 0; n < into.length / 2;) {
      const address = (first + n) * PAGE_SIZE;
      const region = this.#find(address);
      if (region === undefined) {
        n++;
        continue;
      }
      const { backing: { touched }, length, offset } = region;
      const from = address - region.address;
      const end = Math.min(into.length / 2, n + (length - from) / PAGE_SIZE);
      for (let page = (offset + from) / PAGE_SIZE; n < end; n++, page++) {
        if (touched === undefined || touched[page] === 1) into[n * 2 + 1] = PRESENT;
      }
    }
  }

  /**
   * The bytes at an address, which the kernel copies from or to the program.
   *
   * @returns The memory, or `null` where the kernel would answer EFAULT.
   */
  bytes(address: number, length: number): Uint8Array<ArrayBuffer> | null {
    const found = this.at(address);
    return found === null || found.length < length ? null : found.subarray(0, length);
  }
}

// The part of a region between two addresses; none if they are outside of it or reversed.
function part(region: Region, from: number, to: number): Region[] {
  if (to <= from || from < region.address || to > region.address + region.length) return [];
  return [{
    ...region,
    address: from,
    length: to - from,
    offset: region.offset + from - region.address,
  }];
}

// Memory that the host populates only when it is touched, like a mapping with MAP_NORESERVE.
function zeroes(length: number): Uint8Array<ArrayBuffer> | null {
  try {
    if (length < PLAIN_BYTES) return new Uint8Array(length);
    const buffer = new ArrayBuffer(0, { maxByteLength: length });
    buffer.resize(length);
    return new Uint8Array(buffer, 0, length);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
