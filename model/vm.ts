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

/** What dirty logging needs to know about a vCPU. */
export interface LoggedVcpu {
  /** Its id. */
  readonly id: number;
  /** Its file descriptor, which it keeps after a close. */
  readonly fd: number;
  /** Its ring; `null` with the ring off. */
  readonly ring: DirtyRing | null;
  /** Whether a push requested an exit for a full ring (`KVM_REQ_DIRTY_RING_SOFT_FULL`). */
  requestsFullExit: boolean;
}

/**
 * `struct kvm`: the model kernel's side of a VM, with slots, rings and page tables. `Vm`
 * (kvm/vm.ts) is the file descriptor through which a program uses it. Methods have the names of the
 * kernel's functions.
 */
export class ModelVm {
  /** The state that all files of the model share. */
  readonly state: ModelState;
  /** Whether its type is `KVM_X86_SW_PROTECTED_VM`. */
  readonly isProtected: boolean;
  /** The memory slots. */
  readonly slots: MemorySlots = new MemorySlots();
  /** The vCPUs, with those whose file is closed. */
  readonly vcpus: LoggedVcpu[] = [];
  /** Bytes of each ring; 0 with the ring off. */
  dirty_ring_size = 0;
  /** `args[0]` of `KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2`. */
  manual_dirty_log_protect = 0;
  /** `remote_tlb_flush_requests`. */
  remote_tlb_flush_requests = 0;
  /**
   * Guest frames that still have an MMIO entry in the page tables, if the rules say that such an
   * entry makes a page mapped in its place begin clean (`deviceEntryStaysClean`).
   */
  readonly deviceFrames: Set<number> = new Set();
  /** The `kvm_reset_dirty_gfn` calls of the last reset. */
  resetCalls: ResetCall[] = [];

  /**
   * Makes a VM without memory or vCPUs.
   *
   * @param isProtected Whether its type is `KVM_X86_SW_PROTECTED_VM`.
   */
  constructor(state: ModelState, isProtected: boolean) {
    this.state = state;
    this.isProtected = isProtected;
  }

  /**
   * `kvm_vm_ioctl_enable_dirty_log_ring`: checks the size in the kernel's order and enables the
   * ring.
   *
   * @param bytes The size; only its low 32 bits count.
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

  /** Whether any slot is logged. While none is, PML logs nothing (`nr_memslots_dirty_logging`). */
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
    // When a slot is deleted or moved, KVM drops all page tables, also those of other slots.
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
    // Pages written before are protected now, unless the program asked to do that by hand. A new
    // slot has no such pages: skip it, as the walk over a large one would take longer than all the
    // rest.
    const isNew = change.kind === "create";
    if (!isNew && !wasLogged && !isInitiallySet) this.kvm_mmu_slot_protect(slot, 0, slot.npages);
  }

  /** Notes an MMIO access to a guest frame, as KVM does with an MMIO entry in the page tables. */
  noteDevice(gfn: number): void {
    const isMemory = this.slots.find(gfn) !== undefined; // of a read-only slot
    if (this.state.rules.deviceEntryStaysClean && !isMemory) this.deviceFrames.add(gfn);
  }

  /**
   * Makes pages clean again, so that their next store is logged.
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
   * Maps a page, writable unless its slot is read-only (`make_spte`, arch/x86/kvm/mmu/spte.c). A
   * page that is mapped writable is marked dirty.
   *
   * @param page The page, counted from the slot's base.
   * @param vcpu The vCPU that faulted.
   */
  mapPage(slot: MemorySlot, page: number, vcpu: LoggedVcpu): void {
    const isReadOnly = (slot.flags & KVM_MEM_READONLY) !== 0;
    // A page that begins clean is pushed a second time, when PML logs its first store.
    const wasDevice = this.deviceFrames.delete(slot.base_gfn + page);
    slot.pages[page] = wasDevice || isReadOnly ? PageState.CLEAN : PageState.DIRTY;
    this.state.space.touch(slot.userspace_addr + page * PAGE_SIZE);
    if (!isReadOnly) this.mark_page_dirty_in_slot(slot, page, vcpu);
  }

  /**
   * `mark_page_dirty_in_slot`: logs a page that a vCPU has written or is about to write.
   *
   * @param page The page, counted from the slot's base.
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
   * `kvm_write_wall_clock`: writes a `struct pvclock_wall_clock`. The version is written before and
   * after the time, so that a reader can detect an update in progress: three writes, and each marks
   * the page.
   *
   * @param address Guest physical address; if no slot is there, nothing is written.
   * @param vcpu The vCPU whose ioctl it is.
   */
  kvm_write_wall_clock(address: number, vcpu: LoggedVcpu): void {
    const slot = this.slots.find(Math.floor(address / PAGE_SIZE));
    if (slot === undefined) return;
    const offset = address - slot.base_gfn * PAGE_SIZE;
    this.state.space.touch(slot.userspace_addr + offset);
    const clock = slotMemory(this.state.space, slot).subarray(offset, offset + WALL_CLOCK_BYTES);
    for (const write of [() => clock[0]!++, () => clock.fill(1, 4), () => clock[0]!++]) {
      write();
      this.mark_page_dirty_in_slot(slot, Math.floor(offset / PAGE_SIZE), vcpu);
    }
  }

  /**
   * `kvm_vm_ioctl_reset_dirty_pages`: resets the harvested entries of all rings.
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
   * `kvm_reset_dirty_gfn`: re-protects the pages of a batch. A batch whose highest page is past the
   * end of the slot is dropped.
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
      // Before the fix, a wrapped base made the kernel reach page tables outside the slot. The
      // model has none there.
      if (page < slot.npages) this.kvm_mmu_slot_protect(slot, Number(page), Number(page) + 1);
    }
  }
}
