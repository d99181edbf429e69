// Where the kernel promises what docs/abi.md states: its words "seed", "ring", "main", "x86" and "api".

/** The patch that brought the ring, v5.11. */
export const SEED = "v5.11, virt/kvm/dirty_ring.c and its hunks in virt/kvm/kvm_main.c";
/** The ring itself. */
export const RING = "virt/kvm/dirty_ring.c";
/** What is common to all architectures. */
export const MAIN = "virt/kvm/kvm_main.c";
/** What is x86's own. */
export const X86 = "arch/x86/kvm";
/** The documentation. */
export const API = "Documentation/virt/kvm/api.rst, KVM_CAP_DIRTY_LOG_RING";
