import { ERRNO } from "../ffi/errno.ts";
import { KVM_MEM_READONLY } from "../ffi/kvm_constants.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import type { AddressSpace } from "./address_space.ts";

/** A page's place in the page tables that the guest runs on. */
export const PageState = {
  /** Not mapped: any access faults. */
  NONE: 0,
  /** Mapped and clean: a store faults where pages are write-protected, and is noted by PML elsewhere. */
  CLEAN: 1,
  /** Mapped and writable: a store goes unseen. */
  DIRTY: 2,
} as const;

/** `struct kvm_userspace_memory_region`, read. */
export interface RegionRequest {
  /** Address space << 16 | slot id. */
  readonly slot: number;
  /** `KVM_MEM_*` bits. */
  readonly flags: number;
  /** Guest physical address. */
  readonly guest_phys_addr: bigint;
  /** Bytes; 0 deletes. */
  readonly memory_size: bigint;
  /** Address in the program. */
  readonly userspace_addr: bigint;
}

/** `struct kvm_memory_slot`, with its pages' place in the guest's page tables. */
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
  /** The dirty bitmap, a byte a page, of a VM that has no ring. */
  bitmap: Uint8Array<ArrayBuffer> | null;
}

/** `KVM_USER_MEM_SLOTS` of x86. */
export const SLOTS = 32764;
const MAX_PAGES = 2n ** 31n - 1n;
const TASK_SIZE = 2n ** 47n - 4096n;
/** Guest frames that page tables can name, with 52 bits of address. */
const MAX_GFN = 2n ** 40n - 1n;

/** A VM's memory slots, and the rule that changes them (`kvm_set_memory_region`, virt/kvm/kvm_main.c). */
export class MemorySlots {
  readonly #slots = new Map<number, MemorySlot>();
  /** Address spaces: 1, since the model has no SMM. */
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
   * @param gfn The guest frame.
   * @returns The slot that has it, or `undefined`.
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
   * @param request What the slot shall be.
   * @param onChange Called once the slots have changed: what has to happen to the page tables.
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

/** How a slot changed. */
export interface SlotChange {
  /** What was done. */
  readonly kind: "create" | "delete" | "move" | "flags";
  /** The slot, as it is now; as it was where it is deleted. */
  readonly slot: MemorySlot;
  /** Its flags before; 0 where there was none. */
  readonly before: number;
}

// What is judged before any slot is looked at, in the kernel's order.
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
 * The memory behind a slot's pages, as far as the program has it mapped in one piece.
 *
 * @param space The program's address space.
 * @param slot The slot.
 * @returns The memory; empty where nothing is mapped.
 */
export function slotMemory(space: AddressSpace, slot: MemorySlot): Uint8Array<ArrayBuffer> {
  const found = space.at(slot.userspace_addr);
  return found === null
    ? new Uint8Array(0)
    : found.subarray(0, Math.min(found.length, slot.npages * PAGE_SIZE));
}
