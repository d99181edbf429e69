import { kvm_signal_mask } from "./kvm_structs.ts";
import { SIGSET_BYTES } from "./linux.ts";

/** Bytes of the kernel's own `sigset_t`, smaller than glibc's. */
const KERNEL_SIGSET_BYTES = 8;

/**
 * A set of some signals.
 *
 * @example
 * ```ts
 * import { signalSet } from "./sigset.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...signalSet(1, 10).subarray(0, 2)], [0b1, 0b10]); // bit n − 1 is signal n
 * ```
 *
 * @param signals Their numbers.
 * @returns The bytes of a `sigset_t`.
 */
export function signalSet(...signals: readonly number[]): Uint8Array<ArrayBuffer> {
  const set = new Uint8Array(SIGSET_BYTES);
  for (const signal of signals) set[(signal - 1) >> 3]! |= 1 << ((signal - 1) & 7);
  return set;
}

/**
 * The argument of `KVM_SET_SIGNAL_MASK`: the signals that are blocked while the vCPU runs.
 *
 * @param set The bytes of a `sigset_t`.
 * @returns A `struct kvm_signal_mask` and its set.
 */
export function kvmSignalMask(set: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(kvm_signal_mask.size + KERNEL_SIGSET_BYTES);
  new DataView(bytes.buffer).setUint32(kvm_signal_mask.at.len, KERNEL_SIGSET_BYTES, true);
  bytes.set(set.subarray(0, KERNEL_SIGSET_BYTES), kvm_signal_mask.size);
  return bytes;
}
