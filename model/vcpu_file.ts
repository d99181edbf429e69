// The ioctls and the mapping of a vCPU's file in the model.
import { ERRNO } from "../ffi/errors.ts";
import { KVM_DIRTY_LOG_PAGE_OFFSET } from "../ffi/kvm_constants.ts";
import * as ioctls from "../ffi/kvm_ioctls.ts";
import {
  kvm_cpuid2,
  kvm_cpuid_entry2,
  kvm_msr_entry,
  kvm_msrs,
  kvm_pre_fault_memory,
  kvm_regs,
  kvm_sregs,
} from "../ffi/kvm_structs.ts";
import { MAP_SHARED, PAGE_SIZE, PROT_EXEC } from "../ffi/linux.ts";
import { type Argument, type MapRequest, type OpenFile, structBytes } from "./open_file.ts";
import { type Backing, PageState } from "./slots.ts";
import type { ModelVcpu } from "./vcpu.ts";
import type { ModelVm } from "./vm.ts";

/** Bytes of the kernel's own `sigset_t`. */
const SIGSET_BYTES = 8;
const KVM_MAX_CPUID_ENTRIES = 256;
const EXTENDED_FEATURES = 0x8000_0001;
const LONG_MODE_EDX = 1 << 29;
const EFER_LME_LMA = 0x500;
/** Bytes of `struct kvm_signal_mask` and the set that follows it. */
const SIGNAL_MASK_BYTES = 4 + SIGSET_BYTES;

/** A vCPU's file (`kvm_vcpu_ioctl`, `kvm_vcpu_mmap`). */
export function vcpuFile(vm: ModelVm, vcpu: ModelVcpu): OpenFile {
  const { state } = vm;
  const withStruct = (
    argument: Argument,
    size: number,
    body: (bytes: Uint8Array<ArrayBuffer>) => number | void,
  ): number => {
    const bytes = structBytes(state.space, argument, size);
    return bytes === null ? -ERRNO.EFAULT : body(bytes) ?? 0;
  };
  return {
    ioctl(request: number, argument: Argument): number {
      if (state.isElsewhere) return -ERRNO.EIO;
      switch (request) {
        case ioctls.KVM_RUN:
          return typeof argument !== "object" && Number(argument) === 0
            ? vcpu.run(Infinity)
            : -ERRNO.EINVAL;
        case ioctls.KVM_GET_REGS:
          return withStruct(argument, kvm_regs.size, (bytes) => vcpu.cpu.getRegs(bytes));
        case ioctls.KVM_SET_REGS:
          return withStruct(argument, kvm_regs.size, (bytes) => vcpu.cpu.setRegs(bytes));
        case ioctls.KVM_GET_SREGS:
          return withStruct(argument, kvm_sregs.size, (bytes) => vcpu.cpu.getSregs(bytes));
        case ioctls.KVM_SET_SREGS:
          return withStruct(argument, kvm_sregs.size, (bytes) => setSregs(vm, vcpu, bytes));
        case ioctls.KVM_SET_CPUID2:
          return setCpuid(vm, vcpu, argument);
        case ioctls.KVM_PRE_FAULT_MEMORY:
          if (!state.rules.hasPreFault) return -ERRNO.EINVAL;
          return withStruct(
            argument,
            kvm_pre_fault_memory.size,
            (bytes) => kvm_vcpu_pre_fault_memory(vm, vcpu, bytes),
          );
        case ioctls.KVM_SET_MSRS:
          return setMsrs(vm, vcpu, argument);
        case ioctls.KVM_SET_SIGNAL_MASK:
          return setSignalMask(vm, vcpu, argument);
        default:
          return -ERRNO.EINVAL;
      }
    },
    mmap: (request) => mapVcpu(vm, vcpu, request),
  };
}

// `kvm_vcpu_ioctl_set_cpuid2`. The model only needs to know whether CPUID has long mode.
function setCpuid(vm: ModelVm, vcpu: ModelVcpu, argument: Argument): number {
  const head = structBytes(vm.state.space, argument, kvm_cpuid2.size);
  if (head === null) return -ERRNO.EFAULT;
  const count = new DataView(head.buffer, head.byteOffset).getUint32(kvm_cpuid2.at.nent, true);
  if (count > KVM_MAX_CPUID_ENTRIES) return -ERRNO.E2BIG;
  const size = kvm_cpuid2.size + count * kvm_cpuid_entry2.size;
  const bytes = structBytes(vm.state.space, argument, size);
  if (bytes === null) return -ERRNO.EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const { at } = kvm_cpuid_entry2;
  vcpu.hasLongMode = false;
  for (let entry = kvm_cpuid2.size; entry < size; entry += kvm_cpuid_entry2.size) {
    if (view.getUint32(entry + at.function, true) !== EXTENDED_FEATURES) continue;
    vcpu.hasLongMode = (view.getUint32(entry + at.edx, true) & LONG_MODE_EDX) !== 0;
  }
  return 0;
}

// `kvm_arch_vcpu_ioctl_set_sregs` with `kvm_valid_efer`.
function setSregs(vm: ModelVm, vcpu: ModelVcpu, bytes: Uint8Array<ArrayBuffer>): number {
  const efer = new DataView(bytes.buffer, bytes.byteOffset).getUint32(kvm_sregs.at.efer, true);
  const isLong = (efer & EFER_LME_LMA) !== 0;
  if (vm.state.rules.checksEfer && isLong && !vcpu.hasLongMode) return -ERRNO.EINVAL;
  vcpu.cpu.setSregs(bytes);
  return 0;
}

// `kvm_vcpu_ioctl_set_sigmask`: an argument of 0 restores the thread's own mask.
function setSignalMask(vm: ModelVm, vcpu: ModelVcpu, argument: Argument): number {
  if (argument === 0) {
    vcpu.sigset = null;
    return 0;
  }
  const bytes = structBytes(vm.state.space, argument, SIGNAL_MASK_BYTES);
  if (bytes === null) return -ERRNO.EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (view.getUint32(0, true) !== SIGSET_BYTES) return -ERRNO.EINVAL;
  vcpu.sigset = view.getBigUint64(4, true);
  return 0;
}

// `kvm_vcpu_mmap`
function mapVcpu(vm: ModelVm, vcpu: ModelVcpu, request: MapRequest): Backing | number {
  const { page, pages, protection, flags } = request;
  if ((protection & PROT_EXEC) !== 0 && vm.state.rules.isNoExec) return -ERRNO.EPERM;
  const ringPages = vm.dirty_ring_size / PAGE_SIZE;
  const isRing = (one: number) =>
    one >= KVM_DIRTY_LOG_PAGE_OFFSET && one < KVM_DIRTY_LOG_PAGE_OFFSET + ringPages;
  const touchesRing = isRing(page) || isRing(page + pages - 1);
  const isShared = (flags & MAP_SHARED) !== 0;
  if (touchesRing && ((protection & PROT_EXEC) !== 0 || !isShared)) return -ERRNO.EINVAL;
  return vcpu.backing(page);
}

// The vCPU ioctls that write guest memory. Such writes are made on behalf of the vCPU, so they go
// to its ring.

/**
 * `MSR_KVM_WALL_CLOCK_NEW`: a write makes KVM store the time at the address that is written to it.
 */
const WALL_CLOCK = 0x4b56_4d00;

/**
 * `KVM_PRE_FAULT_MEMORY`: maps the pages of a range, one after another. It does not check for a
 * full ring.
 *
 * @param bytes A `struct kvm_pre_fault_memory`; the rest of the range is written back to it.
 * @returns 0 if at least one page is mapped now, or minus an errno.
 */
function kvm_vcpu_pre_fault_memory(
  vm: ModelVm,
  vcpu: ModelVcpu,
  bytes: Uint8Array<ArrayBuffer>,
): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const { at } = kvm_pre_fault_memory;
  const first = view.getBigUint64(at.gpa, true);
  const size = view.getBigUint64(at.size, true);
  const page = BigInt(PAGE_SIZE);
  if (view.getBigUint64(at.flags, true) !== 0n) return -ERRNO.EINVAL;
  if (first % page !== 0n || size % page !== 0n) return -ERRNO.EINVAL;
  if (size === 0n || first + size >= 2n ** 64n) return -ERRNO.EINVAL;
  let done = 0n;
  for (; done < size; done += page) {
    const gfn = Number((first + done) / page);
    const slot = vm.slots.find(gfn);
    if (slot === undefined) break;
    const offset = gfn - slot.base_gfn;
    if (slot.pages[offset] === PageState.NONE) vm.mapPage(slot, offset, vcpu);
  }
  view.setBigUint64(at.gpa, first + done, true);
  view.setBigUint64(at.size, size - done, true);
  return done > 0n ? 0 : -ERRNO.ENOENT;
}

/**
 * `KVM_SET_MSRS`. The only register that the model knows is the one that makes KVM write the wall
 * clock.
 *
 * @param argument A `struct kvm_msrs` with its entries.
 * @returns The number of registers written, or -EFAULT.
 */
function setMsrs(vm: ModelVm, vcpu: ModelVcpu, argument: Argument): number {
  const head = structBytes(vm.state.space, argument, kvm_msrs.size);
  if (head === null) return -ERRNO.EFAULT;
  const count = new DataView(head.buffer, head.byteOffset).getUint32(kvm_msrs.at.nmsrs, true);
  const size = kvm_msrs.size + count * kvm_msr_entry.size;
  const bytes = structBytes(vm.state.space, argument, size);
  if (bytes === null) return -ERRNO.EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let n = 0; n < count; n++) {
    const at = kvm_msrs.size + n * kvm_msr_entry.size;
    if (view.getUint32(at + kvm_msr_entry.at.index, true) !== WALL_CLOCK) return n;
    vm.kvm_write_wall_clock(Number(view.getBigUint64(at + kvm_msr_entry.at.data, true)), vcpu);
  }
  return count;
}
