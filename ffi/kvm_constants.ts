// Numbers of <linux/kvm.h> that are no ioctls, under their kernel names.

// capabilities
/** `KVM_SET_TSS_ADDR` works, as on every x86 host. */
export const KVM_CAP_SET_TSS_ADDR = 4;
/** Recommended number of vCPUs. */
export const KVM_CAP_NR_VCPUS = 9;
/** Number of memory slots. */
export const KVM_CAP_NR_MEMSLOTS = 10;
/** `KVM_MEM_READONLY` works. */
export const KVM_CAP_READONLY_MEM = 81;
/** Largest number of vCPUs. */
export const KVM_CAP_MAX_VCPUS = 66;
/** Largest vCPU id plus one. */
export const KVM_CAP_MAX_VCPU_ID = 128;
/** `KVM_SMI` works. */
export const KVM_CAP_X86_SMM = 117;
/** Address spaces: 2 where guests can have SMM memory. */
export const KVM_CAP_MULTI_ADDRESS_SPACE = 118;
/** `immediate_exit` in `kvm_run` works. */
export const KVM_CAP_IMMEDIATE_EXIT = 136;
/** Manual protection of the dirty log (a bit mask). */
export const KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 = 168;
/** The dirty ring, v5.11: the largest ring in bytes. */
export const KVM_CAP_DIRTY_LOG_RING = 192;
/** Binary statistics can be read from a file descriptor. */
export const KVM_CAP_BINARY_STATS_FD = 203;
/** The dirty ring with acquire and release ordering promised, v6.1. */
export const KVM_CAP_DIRTY_LOG_RING_ACQ_REL = 223;
/** A dirty bitmap beside the ring, v6.2; 0 on x86. */
export const KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP = 225;
/** Memory that only guests can access, v6.8; to be checked on a VM. */
export const KVM_CAP_GUEST_MEMFD = 234;
/** The VM types that can be created, v6.8: one bit for each. */
export const KVM_CAP_VM_TYPES = 235;
/** Memory can be mapped before the guest touches it, v6.11. */
export const KVM_CAP_PRE_FAULT_MEMORY = 236;

// memory slots
/** Log writes to this slot. */
export const KVM_MEM_LOG_DIRTY_PAGES = 1;
/** The guest may not write to this slot. */
export const KVM_MEM_READONLY = 2;
/** This slot has memory from a guest_memfd. */
export const KVM_MEM_GUEST_MEMFD = 4;

// types of VM
/** The type of a VM whose guest can have memory that the host does not map. */
export const KVM_X86_SW_PROTECTED_VM = 1;

// the ring
/** The ring's first page in a vCPU's mapping. */
export const KVM_DIRTY_LOG_PAGE_OFFSET = 64;
/** Bit 0 of an entry's flags: KVM filled it. */
export const KVM_DIRTY_GFN_F_DIRTY = 1;
/** Bit 1 of an entry's flags: the program harvested it. */
export const KVM_DIRTY_GFN_F_RESET = 2;

// exit reasons
/** The vCPU accessed an I/O port. */
export const KVM_EXIT_IO = 2;
/** The vCPU executed HLT. */
export const KVM_EXIT_HLT = 5;
/** The vCPU's ring reached its soft limit. */
export const KVM_EXIT_DIRTY_RING_FULL = 31;

/** Exit reasons of `<linux/kvm.h>` that an x86 vCPU can report, by number. */
const EXIT_NAMES: Readonly<Record<number, string>> = {
  0: "KVM_EXIT_UNKNOWN",
  1: "KVM_EXIT_EXCEPTION",
  2: "KVM_EXIT_IO",
  3: "KVM_EXIT_HYPERCALL",
  4: "KVM_EXIT_DEBUG",
  5: "KVM_EXIT_HLT",
  6: "KVM_EXIT_MMIO",
  7: "KVM_EXIT_IRQ_WINDOW_OPEN",
  8: "KVM_EXIT_SHUTDOWN",
  9: "KVM_EXIT_FAIL_ENTRY",
  10: "KVM_EXIT_INTR",
  11: "KVM_EXIT_SET_TPR",
  12: "KVM_EXIT_TPR_ACCESS",
  16: "KVM_EXIT_NMI",
  17: "KVM_EXIT_INTERNAL_ERROR",
  24: "KVM_EXIT_SYSTEM_EVENT",
  26: "KVM_EXIT_IOAPIC_EOI",
  27: "KVM_EXIT_HYPERV",
  29: "KVM_EXIT_X86_RDMSR",
  30: "KVM_EXIT_X86_WRMSR",
  31: "KVM_EXIT_DIRTY_RING_FULL",
  32: "KVM_EXIT_AP_RESET_HOLD",
  33: "KVM_EXIT_X86_BUS_LOCK",
  34: "KVM_EXIT_XEN",
  37: "KVM_EXIT_NOTIFY",
  39: "KVM_EXIT_MEMORY_FAULT",
  40: "KVM_EXIT_TDX",
};

/**
 * An exit reason's name.
 *
 * @example
 * ```ts
 * import { exitName } from "./kvm_constants.ts";
 * exitName(31); // "KVM_EXIT_DIRTY_RING_FULL"
 * ```
 *
 * @param reason `exit_reason` of `kvm_run`.
 * @returns The UAPI name, or `exit reason N` if this program has no name for it.
 */
export function exitName(reason: number): string {
  return EXIT_NAMES[reason] ?? `exit reason ${reason}`;
}
