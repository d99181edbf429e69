import { checked } from "../ffi/errors.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { KVM_CAP_SET_TSS_ADDR } from "../ffi/kvm_constants.ts";
import {
  KVM_CHECK_EXTENSION,
  KVM_CLEAR_DIRTY_LOG,
  KVM_CREATE_VCPU,
  KVM_ENABLE_CAP,
  KVM_GET_DIRTY_LOG,
  KVM_RESET_DIRTY_RINGS,
  KVM_SET_IDENTITY_MAP_ADDR,
  KVM_SET_TSS_ADDR,
  KVM_SET_USER_MEMORY_REGION,
} from "../ffi/kvm_ioctls.ts";
import {
  kvm_clear_dirty_log,
  kvm_dirty_log,
  kvm_enable_cap,
  kvm_userspace_memory_region,
} from "../ffi/kvm_structs.ts";
import { nanosecondsSince, PAGE_SIZE, SIGSET_BYTES } from "../ffi/linux.ts";
import { KvmFd } from "./mapping.ts";
import { type TickSource, Vcpu } from "./vcpu.ts";

/** What {@linkcode Vm.setUserMemoryRegion} takes: `struct kvm_userspace_memory_region`. */
export interface MemoryRegion {
  /** Address space << 16 | slot id. */
  readonly slot: number;
  /** `KVM_MEM_*` bits. */
  readonly flags: number;
  /** Guest physical address of the first byte. */
  readonly guestPhysAddr: number;
  /** Bytes; 0 deletes the slot. */
  readonly memorySize: number;
  /** Address of the first byte in this process. */
  readonly userspaceAddr: number;
}

/** The result of a reset. */
export interface ResetAnswer {
  /** Entries reset on all vCPUs: the call's answer. */
  readonly count: number;
  /** Duration of the call alone, in nanoseconds. */
  readonly ns: number;
}

/**
 * The end of memory for a guest in real mode: the pages of {@linkcode Vm.placeRealModePages} follow
 * it. It is KVM's own default, `VMX_EPT_IDENTITY_PAGETABLE_ADDR`.
 */
export const REAL_MODE_LIMIT = 0xfffb_c000;

/**
 * A VM's file descriptor with its ioctls (api.rst, section 4, "vm ioctls"). It owns no memory and
 * no vCPUs: a VM with all that its guest needs is `GuestVm` (machine/guest_vm.ts).
 */
export class Vm extends KvmFd {
  readonly #allSignals = new Uint8Array(SIGSET_BYTES).fill(0xff);
  readonly #oldSignals = new Uint8Array(SIGSET_BYTES);
  // Reused by each call: both ioctls are called in loops that are measured.
  readonly #getLog = new DataView(new ArrayBuffer(kvm_dirty_log.size));
  readonly #clearLog = new DataView(new ArrayBuffer(kvm_clear_dirty_log.size));
  readonly #ticks: TickSource;
  #hasRealModePages = false;

  /**
   * Takes over a VM's file descriptor.
   *
   * @param ticks The ticks that interrupt its vCPUs, {@linkcode System.ticks}.
   */
  constructor(kernel: Kernel, fd: number, ticks: TickSource = () => null) {
    super(kernel, fd);
    this.#ticks = ticks;
  }

  /**
   * `KVM_ENABLE_CAP` with one argument. The answer is not checked.
   *
   * @param capability A `KVM_CAP_*` number.
   * @param argument `args[0]`, all 64 bits of it.
   * @returns 0, or minus an errno.
   */
  enableCap(capability: number, argument: number | bigint, flags = 0): number {
    return this.ioctl(KVM_ENABLE_CAP, enableCapStruct(capability, argument, flags));
  }

  /**
   * Makes, moves, changes or deletes a memory slot.
   *
   * @throws {KernelError} If the kernel refuses: EEXIST for an overlap, EINVAL for a bad value.
   */
  setUserMemoryRegion(region: MemoryRegion): void {
    checked(
      this.ioctl(KVM_SET_USER_MEMORY_REGION, memoryRegionStruct(region)),
      () =>
        `KVM_SET_USER_MEMORY_REGION(slot ${region.slot}, ${region.memorySize} bytes at ` +
        `0x${region.guestPhysAddr.toString(16)})`,
    );
  }

  /**
   * Gives KVM the guest pages that `kvm_intel` needs to run real mode if the processor cannot
   * (`unrestricted_guest=0`, `ept=0`): a page table, followed by a task-state segment. On other
   * hosts this changes nothing (api.rst, sections 4.33 and 4.37). To be called before the first
   * vCPU is made.
   *
   * @param end The guest physical address after all memory slots. Above {@linkcode REAL_MODE_LIMIT}
   * there is no room for the segment: only a guest that is never in real mode may have so much
   * memory.
   * @throws {KernelError} If the kernel refuses: EEXIST if a slot is in the way.
   */
  placeRealModePages(end: number): void {
    const answer = this.ioctl(KVM_CHECK_EXTENSION, KVM_CAP_SET_TSS_ADDR);
    this.#hasRealModePages = true;
    if (checked(answer, "KVM_CHECK_EXTENSION(KVM_CAP_SET_TSS_ADDR)") === 0) return;
    if (end <= REAL_MODE_LIMIT) {
      const segment = REAL_MODE_LIMIT + PAGE_SIZE; // behind the page table, which is there by default
      checked(this.ioctl(KVM_SET_TSS_ADDR, segment), () => `KVM_SET_TSS_ADDR(${segment})`);
      return;
    }
    const struct = new Uint8Array(new BigUint64Array([BigInt(end)]).buffer);
    checked(
      this.ioctl(KVM_SET_IDENTITY_MAP_ADDR, struct),
      () => `KVM_SET_IDENTITY_MAP_ADDR(0x${end.toString(16)})`,
    );
  }

  /**
   * Makes a vCPU. With the ring enabled KVM also allocates the vCPU's ring. If
   * {@linkcode Vm.placeRealModePages} was not called before, the first vCPU does so, as for memory
   * that ends below {@linkcode REAL_MODE_LIMIT}.
   *
   * @param mmapSize Bytes of its `kvm_run` mapping, from {@linkcode System.vcpuMmapSize}.
   * @returns The vCPU; the caller disposes it.
   * @throws {KernelError} If the kernel refuses: EINVAL above its limit, EMFILE, ENOMEM.
   */
  createVcpu(id: number, mmapSize: number): Vcpu {
    if (!this.#hasRealModePages) this.placeRealModePages(0);
    const fd = checked(this.ioctl(KVM_CREATE_VCPU, id), () => `KVM_CREATE_VCPU(${id})`);
    return Vcpu.take(this.kernel, fd, id, mmapSize, this.#ticks);
  }

  /**
   * `KVM_RESET_DIRTY_RINGS`: resets the harvested entries of all rings and re-protects their pages
   * (`kvm_vm_ioctl_reset_dirty_pages`, virt/kvm/kvm_main.c). All signals are blocked during the
   * call: since Linux 6.17 a pending one ends the walk early, and the batch being gathered is lost.
   *
   * @throws {KernelError} EINVAL with the ring off, EIO from another process.
   */
  resetDirtyRings(): ResetAnswer {
    checked(this.kernel.sigmask(this.#allSignals, this.#oldSignals), "pthread_sigmask");
    try {
      const started = performance.now();
      const answer = this.ioctl(KVM_RESET_DIRTY_RINGS);
      const ns = nanosecondsSince(started);
      return { count: checked(answer, "KVM_RESET_DIRTY_RINGS"), ns };
    } finally {
      this.kernel.sigmask(this.#oldSignals, null);
    }
  }

  /**
   * `KVM_GET_DIRTY_LOG`: copies a slot's dirty bitmap. Without manual protection it also clears the
   * bitmap and write-protects the pages again (api.rst, section 4.8, "KVM_GET_DIRTY_LOG").
   *
   * @param slot Address space << 16 | slot id.
   * @param bitmapAddress The address in this process that receives the bitmap: one bit for each
   * page, in whole 64-bit words. It is the address of a {@linkcode Mapping}: an array's memory may
   * move.
   * @throws {KernelError} If the kernel refuses: ENOENT for a slot that is not logged, ENXIO with
   * the ring on, EFAULT for an address without memory.
   */
  getDirtyLog(slot: number, bitmapAddress: number): void {
    const { at } = kvm_dirty_log;
    this.#getLog.setUint32(at.slot, slot, true);
    this.#getLog.setBigUint64(at.dirty_bitmap, BigInt(bitmapAddress), true);
    checked(
      this.ioctl(KVM_GET_DIRTY_LOG, new Uint8Array(this.#getLog.buffer)),
      () => `KVM_GET_DIRTY_LOG(slot ${slot})`,
    );
  }

  /**
   * `KVM_CLEAR_DIRTY_LOG`: clears the pages of a slot whose bits are set and write-protects them
   * again (api.rst, section 4.117, "KVM_CLEAR_DIRTY_LOG"; with
   * `KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2`).
   *
   * @param slot Address space << 16 | slot id.
   * @param firstPage The first page, counted from the slot's base: a multiple of 64.
   * @param pages Pages: a multiple of 64, or all up to the slot's end.
   * @param bitmapAddress The address of the bitmap of these pages, as for
   * {@linkcode Vm.getDirtyLog}.
   * @throws {KernelError} If the kernel refuses: EINVAL for a range that does not consist of whole
   * words, ENOENT, ENXIO and EFAULT as for {@linkcode Vm.getDirtyLog}.
   */
  clearDirtyLog(slot: number, firstPage: number, pages: number, bitmapAddress: number): void {
    const { at } = kvm_clear_dirty_log;
    this.#clearLog.setUint32(at.slot, slot, true);
    this.#clearLog.setUint32(at.num_pages, pages, true);
    this.#clearLog.setBigUint64(at.first_page, BigInt(firstPage), true);
    this.#clearLog.setBigUint64(at.dirty_bitmap, BigInt(bitmapAddress), true);
    checked(
      this.ioctl(KVM_CLEAR_DIRTY_LOG, new Uint8Array(this.#clearLog.buffer)),
      () => `KVM_CLEAR_DIRTY_LOG(slot ${slot}, ${pages} pages from ${firstPage} on)`,
    );
  }
}

/**
 * The bytes of a `struct kvm_enable_cap` with one argument.
 *
 * @param capability A `KVM_CAP_*` number.
 * @param argument `args[0]`, all 64 bits of it.
 */
export function enableCapStruct(
  capability: number,
  argument: number | bigint,
  flags = 0,
): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(kvm_enable_cap.size));
  view.setUint32(kvm_enable_cap.at.cap, capability, true);
  view.setUint32(kvm_enable_cap.at.flags, flags, true);
  view.setBigUint64(kvm_enable_cap.at.args, BigInt(argument), true);
  return new Uint8Array(view.buffer);
}

/** The bytes of a `struct kvm_userspace_memory_region`. */
export function memoryRegionStruct(region: MemoryRegion): Uint8Array<ArrayBuffer> {
  const at = kvm_userspace_memory_region.at;
  const view = new DataView(new ArrayBuffer(kvm_userspace_memory_region.size));
  view.setUint32(at.slot, region.slot, true);
  view.setUint32(at.flags, region.flags, true);
  view.setBigUint64(at.guest_phys_addr, BigInt(region.guestPhysAddr), true);
  view.setBigUint64(at.memory_size, BigInt(region.memorySize), true);
  view.setBigUint64(at.userspace_addr, BigInt(region.userspaceAddr), true);
  return new Uint8Array(view.buffer);
}
