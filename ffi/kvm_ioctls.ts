// The ioctls of <linux/kvm.h> that this program uses, grouped by the kind of fd that takes them. A
// capability in parentheses says whether a kernel has the ioctl.
import {
  kvm_clear_dirty_log,
  kvm_cpuid2,
  kvm_create_guest_memfd,
  kvm_dirty_log,
  kvm_enable_cap,
  kvm_msrs,
  kvm_pre_fault_memory,
  kvm_regs,
  kvm_signal_mask,
  kvm_sregs,
  kvm_userspace_memory_region,
  kvm_userspace_memory_region2,
} from "./kvm_structs.ts";
import { io, ior, iow, iowr } from "./linux.ts";

const KVMIO = 0xae;

// /dev/kvm
/** Answers 12 on every KVM since 2007. */
export const KVM_GET_API_VERSION: number = io(KVMIO, 0x00);
/** Makes a VM; the argument is its type, 0 by default. Answers a VM fd. */
export const KVM_CREATE_VM: number = io(KVMIO, 0x01);
/** Answers a capability's value, 0 where it is unknown. Also a VM ioctl. */
export const KVM_CHECK_EXTENSION: number = io(KVMIO, 0x03);
/** Answers the bytes of a vCPU's `kvm_run` mapping. */
export const KVM_GET_VCPU_MMAP_SIZE: number = io(KVMIO, 0x04);

// a VM fd
/** Makes a vCPU; the argument is its id. Answers a vCPU fd. */
export const KVM_CREATE_VCPU: number = io(KVMIO, 0x41);
/** Makes, moves, changes or deletes a memory slot. */
export const KVM_SET_USER_MEMORY_REGION: number = iow(
  KVMIO,
  0x46,
  kvm_userspace_memory_region.size,
);
/** Gives KVM three pages below 4 GiB that it may need to run real mode (`KVM_CAP_SET_TSS_ADDR`). */
export const KVM_SET_TSS_ADDR: number = io(KVMIO, 0x47);
/** Gives KVM a page for an identity page table in real mode (`KVM_CAP_SET_IDENTITY_MAP_ADDR`). */
export const KVM_SET_IDENTITY_MAP_ADDR: number = iow(KVMIO, 0x48, 8);
/** Copies a slot's dirty bitmap, and without manual protection also clears it. */
export const KVM_GET_DIRTY_LOG: number = iow(KVMIO, 0x42, kvm_dirty_log.size);
/** Enables a capability (`KVM_CAP_ENABLE_CAP_VM`). */
export const KVM_ENABLE_CAP: number = iow(KVMIO, 0xa3, kvm_enable_cap.size);
/** Resets the harvested entries of all rings; answers their number (`KVM_CAP_DIRTY_LOG_RING`). */
export const KVM_RESET_DIRTY_RINGS: number = io(KVMIO, 0xc7);

/** Clears pages of a slot's dirty bitmap (`KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2`). */
export const KVM_CLEAR_DIRTY_LOG: number = iowr(KVMIO, 0xc0, kvm_clear_dirty_log.size);
/**
 * Makes, moves, changes or deletes a memory slot that may have a guest_memfd
 * (`KVM_CAP_USER_MEMORY2`).
 */
export const KVM_SET_USER_MEMORY_REGION2: number = iow(
  KVMIO,
  0x49,
  kvm_userspace_memory_region2.size,
);
/** Answers a file descriptor for memory that only guests can access (`KVM_CAP_GUEST_MEMFD`). */
export const KVM_CREATE_GUEST_MEMFD: number = iowr(KVMIO, 0xd4, kvm_create_guest_memfd.size);
/** Answers a file descriptor from which to read binary statistics; also a vCPU ioctl. */
export const KVM_GET_STATS_FD: number = io(KVMIO, 0xce);

// a vCPU fd
/** Runs the vCPU until it exits. */
export const KVM_RUN: number = io(KVMIO, 0x80);
/** Queues a system-management interrupt for the vCPU's next entry (`KVM_CAP_X86_SMM`). */
export const KVM_SMI: number = io(KVMIO, 0xb7);
/** Reads the general registers. */
export const KVM_GET_REGS: number = ior(KVMIO, 0x81, kvm_regs.size);
/** Writes the general registers. */
export const KVM_SET_REGS: number = iow(KVMIO, 0x82, kvm_regs.size);
/** Reads the segment, table and control registers. */
export const KVM_GET_SREGS: number = ior(KVMIO, 0x83, kvm_sregs.size);
/** Writes the segment, table and control registers. */
export const KVM_SET_SREGS: number = iow(KVMIO, 0x84, kvm_sregs.size);
/** Writes model-specific registers; answers how many were written. */
export const KVM_SET_MSRS: number = iow(KVMIO, 0x89, kvm_msrs.size);
/** Maps guest memory before the guest touches it (`KVM_CAP_PRE_FAULT_MEMORY`). */
export const KVM_PRE_FAULT_MEMORY: number = iowr(KVMIO, 0xd5, kvm_pre_fault_memory.size);
/** Sets the CPUID that the vCPU sees, before it first runs (`KVM_CAP_EXT_CPUID`). */
export const KVM_SET_CPUID2: number = iow(KVMIO, 0x90, kvm_cpuid2.size);
/** Sets the signals that are blocked while the vCPU runs. */
export const KVM_SET_SIGNAL_MASK: number = iow(KVMIO, 0x8b, kvm_signal_mask.size);
