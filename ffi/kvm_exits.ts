/** Exit reasons of `<linux/kvm.h>` that an x86 vCPU can report, by number. */
const NAMES: Readonly<Record<number, string>> = {
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
 * import { exitName } from "./kvm_exits.ts";
 * exitName(31); // "KVM_EXIT_DIRTY_RING_FULL"
 * ```
 *
 * @param reason `exit_reason` of `kvm_run`.
 * @returns The UAPI name, or `exit reason N` where this program has none.
 */
export function exitName(reason: number): string {
  return NAMES[reason] ?? `exit reason ${reason}`;
}
