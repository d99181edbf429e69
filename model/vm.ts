import { ERRNO } from "../ffi/errors.ts";
import type { ResetCall } from "../ffi/insight.ts";
import {
  KVM_MEM_GUEST_MEMFD,
  KVM_MEM_LOG_DIRTY_PAGES,
  KVM_MEM_READONLY,
} from "../ffi/kvm_constants.ts";
import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import {
  type DirtyRing,
  kvm_dirty_ring_push,
  kvm_dirty_ring_reset,
  kvm_dirty_ring_soft_full,
} from "./dirty_ring.ts";
import { type ModelState, RESET_NS } from "./signals.ts";
import {
  type MemorySlot,
  MemorySlots,
  PageState,
  type RegionRequest,
  type SlotChange,
  slotMemory,
  SLOTS,
} from "./slots.ts";

/** `KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE` and `KVM_DIRTY_LOG_INITIALLY_SET`. */
const MANUAL_AND_INITIALLY_SET = 3;

/** `struct pvclock_wall_clock`: a version, seconds and nanoseconds, 4 bytes each. */
const WALL_CLOCK_BYTES = 12;

/** What a VM needs to know of a vCPU to log what that stores. */
export interface LoggedVcpu {
  /** Its id. */
  readonly id: number;
  /** Its file descriptor, also once that is closed. */
  readonly fd: number;
  /** Its ring; `null` with the ring off. */
  readonly ring: DirtyRing | null;
  /** Whether a push asked for a look at the ring (`KVM_REQ_DIRTY_RING_SOFT_FULL`). */
  requestsFullExit: boolean;
}

/** `struct kvm`, a VM as the model's kernel sees it: a VM's slots, rings and page tables. Functions are named after the kernel's. */
export class ModelVm {
  /** What all files of the model share. */
  readonly state: ModelState;
  /** Whether it was made as `KVM_X86_SW_PROTECTED_VM`. */
  readonly isProtected: boolean;
  /** The memory slots. */
  readonly slots: MemorySlots = new MemorySlots();
  /** The vCPUs; one whose file is closed stays. */
  readonly vcpus: LoggedVcpu[] = [];
  /** Bytes of each ring; 0 with the ring off. */
  dirty_ring_size = 0;
  /** `args[0]` of `KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2`. */
  manual_dirty_log_protect = 0;
  /** `remote_tlb_flush_requests`. */
  remote_tlb_flush_requests = 0;
  /**
   * Guest frames whose entry in the page tables still says that a device was accessed there, where that entry
   * makes a page mapped in its place begin clean (`deviceEntryStaysClean` of the rules).
   */
  readonly deviceFrames: Set<number> = new Set();
  /** The calls of the last reset. */
  resetCalls: ResetCall[] = [];

  /**
   * Makes a VM without memory or vCPUs.
   *
   * @param state What all files of the model share.
   * @param isProtected Whether it is a `KVM_X86_SW_PROTECTED_VM`.
   */
  constructor(state: ModelState, isProtected: boolean) {
    this.state = state;
    this.isProtected = isProtected;
  }

  /**
   * `kvm_vm_ioctl_enable_dirty_log_ring`: judges a size, in the kernel's order.
   *
   * @param bytes The size, of which 32 bits count.
   * @returns 0, or minus an errno.
   */
  kvm_vm_ioctl_enable_dirty_log_ring(bytes: bigint): number {
    const size = Number(BigInt.asUintN(32, bytes));
    const { reservedEntries, largestRing } = this.state.rules;
    if (size === 0 || !Number.isInteger(Math.log2(size))) return -ERRNO.EINVAL;
    if (size < reservedEntries * kvm_dirty_gfn.size || size < PAGE_SIZE) return -ERRNO.EINVAL;
    if (size > largestRing) return -ERRNO.E2BIG;
    if (this.dirty_ring_size !== 0 || this.vcpus.length > 0) return -ERRNO.EINVAL;
    this.dirty_ring_size = size;
    return 0;
  }

  /** Whether a slot is logged: as long as none is, a processor with PML notes nothing (`nr_memslots_dirty_logging`). */
  get isLogging(): boolean {
    for (const { flags } of this.slots.all) {
      if ((flags & KVM_MEM_LOG_DIRTY_PAGES) !== 0) return true;
    }
    return false;
  }

  /**
   * `kvm_set_memory_region`.
   *
   * @returns 0, or minus an errno.
   */
  kvm_set_memory_region(request: RegionRequest): number {
    const valid = this.isProtected && (request.flags & KVM_MEM_GUEST_MEMFD) !== 0
      ? KVM_MEM_GUEST_MEMFD
      : KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY;
    if ((request.flags & ~valid) !== 0) return -ERRNO.EINVAL;
    return this.slots.set(request, (change) => this.#applySlotChange(change));
  }

  #applySlotChange(change: SlotChange): void {
    const { slot } = change;
    // Before a slot goes or moves, all page tables are dropped, those of other slots too.
    if (change.kind === "delete" || change.kind === "move") {
      for (const other of this.slots.all) other.pages.fill(PageState.NONE);
      this.deviceFrames.clear();
    }
    const isLogged = (slot.flags & KVM_MEM_LOG_DIRTY_PAGES) !== 0;
    if (!isLogged) slot.bitmap = null;
    if (change.kind === "delete" || !isLogged) return;
    const isInitiallySet = this.manual_dirty_log_protect === MANUAL_AND_INITIALLY_SET;
    if (this.dirty_ring_size === 0 && slot.bitmap === null) {
      slot.bitmap = new Uint8Array(slot.npages).fill(isInitiallySet ? 1 : 0);
    }
    const wasLogged = (change.before & KVM_MEM_LOG_DIRTY_PAGES) !== 0;
    // Pages that were written before are protected, unless the program said that it does that by hand. A slot that is
    // new has none: the walk over a large one would take longer than all else that makes it.
    const isNew = change.kind === "create";
    if (!isNew && !wasLogged && !isInitiallySet) this.kvm_mmu_slot_protect(slot, 0, slot.npages);
  }

  /**
   * A guest frame was accessed as a device's: KVM notes that in the page tables.
   *
   * @param gfn The guest frame.
   */
  noteDevice(gfn: number): void {
    const isMemory = this.slots.find(gfn) !== undefined; // of a read-only slot
    if (this.state.rules.deviceEntryStaysClean && !isMemory) this.deviceFrames.add(gfn);
  }

  /**
   * Makes pages clean again: their next store is seen.
   *
   * @param from The first page.
   * @param to The page after the last.
   */
  kvm_mmu_slot_protect(slot: MemorySlot, from: number, to: number): void {
    for (let page = from; page < to; page++) {
      if (slot.pages[page] === PageState.DIRTY) slot.pages[page] = PageState.CLEAN;
    }
  }

  /**
   * Maps a page, writable unless its slot is read-only (`make_spte`, arch/x86/kvm/mmu/spte.c): that announces it.
   *
   * @param page The page, from the slot's base.
   * @param vcpu The vCPU that needs it.
   */
  mapPage(slot: MemorySlot, page: number, vcpu: LoggedVcpu): void {
    const isReadOnly = (slot.flags & KVM_MEM_READONLY) !== 0;
    // A page that is still clean is pushed once more, when the processor notes the first store.
    const wasDevice = this.deviceFrames.delete(slot.base_gfn + page);
    slot.pages[page] = wasDevice || isReadOnly ? PageState.CLEAN : PageState.DIRTY;
    if (!isReadOnly) this.mark_page_dirty_in_slot(slot, page, vcpu);
  }

  /**
   * `mark_page_dirty_in_slot`: a page was, or is about to be, written by a vCPU.
   *
   * @param page The page, from the slot's base.
   * @param vcpu The vCPU that runs.
   */
  mark_page_dirty_in_slot(slot: MemorySlot, page: number, vcpu: LoggedVcpu): void {
    if ((slot.flags & KVM_MEM_LOG_DIRTY_PAGES) === 0) return;
    const { ring } = vcpu;
    if (ring === null) {
      if (slot.bitmap !== null) slot.bitmap[page] = 1;
      return;
    }
    const { pushWatcher } = this.state;
    const watch = pushWatcher === null
      ? null
      : (step: Parameters<typeof pushWatcher>[0], index: number) =>
        pushWatcher(step, vcpu.fd, index);
    kvm_dirty_ring_push(ring, slot.slot, page, watch);
    if (kvm_dirty_ring_soft_full(ring)) vcpu.requestsFullExit = true;
  }

  /**
   * `kvm_write_wall_clock`: writes a `struct pvclock_wall_clock`, as an ioctl of a vCPU has KVM do. The version
   * comes before and after the time, so that a reader knows: three writes, and each is announced.
   *
   * @param address Guest physical address; without a slot there nothing is written.
   * @param vcpu The vCPU whose ioctl it is.
   */
  kvm_write_wall_clock(address: number, vcpu: LoggedVcpu): void {
    const slot = this.slots.find(Math.floor(address / PAGE_SIZE));
    if (slot === undefined) return;
    const offset = address - slot.base_gfn * PAGE_SIZE;
    const clock = slotMemory(this.state.space, slot).subarray(offset, offset + WALL_CLOCK_BYTES);
    for (const write of [() => clock[0]!++, () => clock.fill(1, 4), () => clock[0]!++]) {
      write();
      this.mark_page_dirty_in_slot(slot, Math.floor(offset / PAGE_SIZE), vcpu);
    }
  }

  /**
   * `kvm_vm_ioctl_reset_dirty_pages`: takes harvested entries of all rings back.
   *
   * @returns Entries reset, or -EINVAL with the ring off.
   */
  kvm_vm_ioctl_reset_dirty_pages(): number {
    if (this.dirty_ring_size === 0) return -ERRNO.EINVAL;
    const { rules, signals, resetMaximum } = this.state;
    this.resetCalls = [];
    const context = {
      signal_pending: () => {
        signals.advance(RESET_NS);
        return signals.isPending();
      },
      kvm_reset_dirty_gfn: (call: ResetCall) => this.kvm_reset_dirty_gfn(call),
    };
    let cleared = 0;
    for (const vcpu of this.vcpus) {
      if (vcpu.ring === null) continue;
      const walk = kvm_dirty_ring_reset(vcpu.ring, rules, context, resetMaximum - cleared);
      cleared += walk.count;
      if (walk.interrupted) break;
      if (!kvm_dirty_ring_soft_full(vcpu.ring)) vcpu.requestsFullExit = false;
    }
    if (cleared > 0) this.remote_tlb_flush_requests++;
    return cleared;
  }

  /**
   * `kvm_reset_dirty_gfn`: re-protects the pages of a batch, or drops it where its highest page lies past
   * the slot.
   *
   * @param call The batch.
   */
  kvm_reset_dirty_gfn(call: ResetCall): void {
    this.resetCalls.push(call);
    const { offset, mask } = call;
    if (mask === 0n || (call.slot & 0xffff) >= SLOTS) return;
    const slot = this.slots.get(call.slot);
    if (slot === undefined) return;
    const highest = offset + BigInt(mask.toString(2).length - 1);
    const bound = this.state.rules.boundCannotWrap ? highest : BigInt.asUintN(64, highest);
    if (bound >= slot.npages) return;
    for (let bit = 0n; mask >> bit !== 0n; bit++) {
      if (((mask >> bit) & 1n) === 0n) continue;
      const page = BigInt.asUintN(64, offset + bit);
      // Before the fix a wrapped base reached page tables outside the slot; here there are none.
      if (page < slot.npages) this.kvm_mmu_slot_protect(slot, Number(page), Number(page) + 1);
    }
  }
}
