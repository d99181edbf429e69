import { kvm_cpuid2, kvm_cpuid_entry2 } from "../ffi/kvm_structs.ts";

/** The leaf of extended features, and its bit for long mode. */
const EXTENDED_FEATURES = 0x8000_0001;
const LONG_MODE_EDX = 1 << 29;

/**
 * The bytes of a `struct kvm_cpuid2` that says what this program's vCPUs see of CPUID: long mode, and nothing
 * else.
 *
 * Since "KVM: x86: Check EFER validity on KVM_SET_SREGS*" (v7.3, 184bd464bdb6, and stable kernels from 2026 on)
 * `KVM_SET_SREGS` refuses EFER.LME to a vCPU whose CPUID has no long mode, so that this has to come first.
 * One leaf, and not all that `KVM_GET_SUPPORTED_CPUID` offers, for two reasons: the guest is then the same on
 * every host, also on the one that restores its checkpoint; and without leaf 0x80000008 a vCPU has the 36 address
 * bits that the long-mode guest and the model's page walk count on (`cpuid_query_maxphyaddr`,
 * arch/x86/kvm/cpuid.c).
 *
 * @example
 * ```ts
 * import { cpuidStruct } from "./cpuid.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const words = new Uint32Array(cpuidStruct().buffer);
 * assertEquals([words.length, words[0], words[2]], [12, 1, 0x80000001]);
 * ```
 *
 * @returns The struct with its one entry.
 */
export function cpuidStruct(): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(kvm_cpuid2.size + kvm_cpuid_entry2.size));
  view.setUint32(kvm_cpuid2.at.nent, 1, true);
  view.setUint32(kvm_cpuid2.size + kvm_cpuid_entry2.at.function, EXTENDED_FEATURES, true);
  view.setUint32(kvm_cpuid2.size + kvm_cpuid_entry2.at.edx, LONG_MODE_EDX, true);
  return new Uint8Array(view.buffer);
}
