// Other numbers of <linux/kvm.h>, under its names.

// capabilities
/** Where KVM runs real mode can be said: of every x86 host. */
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
/** Memory that only guests reach, v6.8; asked of a VM. */
export const KVM_CAP_GUEST_MEMFD = 234;
/** The types of VM that can be made, v6.8: a bit each. */
export const KVM_CAP_VM_TYPES = 235;
/** Memory can be mapped before the guest touches it, v6.11. */
export const KVM_CAP_PRE_FAULT_MEMORY = 236;

// memory slots
/** Log writes to this slot. */
export const KVM_MEM_LOG_DIRTY_PAGES = 1;
/** The guest may not write to this slot. */
export const KVM_MEM_READONLY = 2;
/** This slot has memory of a guest_memfd. */
export const KVM_MEM_GUEST_MEMFD = 4;

// types of VM
/** A VM whose guest can have memory that the host does not map. */
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
