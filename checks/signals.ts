import type { Kernel } from "../ffi/kernel.ts";
import { checked } from "../ffi/kernel_error.ts";
import { kvm_signal_mask } from "../ffi/kvm_structs.ts";
import { SIGSET_BYTES } from "../ffi/linux.ts";

/** Bytes of the kernel's own `sigset_t`, smaller than glibc's. */
const KERNEL_SIGSET_BYTES = 8;

/**
 * A set with one signal.
 *
 * @param signal Its number.
 * @returns The bytes of a `sigset_t`.
 */
export function signalSet(signal: number): Uint8Array<ArrayBuffer> {
  const set = new Uint8Array(SIGSET_BYTES);
  set[(signal - 1) >> 3] = 1 << ((signal - 1) & 7);
  return set;
}

/**
 * The argument of `KVM_SET_SIGNAL_MASK` that blocks no signal while the vCPU runs.
 *
 * @returns A `struct kvm_signal_mask` and its set.
 */
export function noSignalsBlocked(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(kvm_signal_mask.size + KERNEL_SIGSET_BYTES);
  new DataView(bytes.buffer).setUint32(kvm_signal_mask.at.len, KERNEL_SIGSET_BYTES, true);
  return bytes;
}

/** A signal that is blocked on the calling thread for a while; none is left pending afterwards. */
export class BlockedSignal implements Disposable {
  readonly #kernel: Kernel;
  readonly #signal: number;
  readonly #before = new Uint8Array(SIGSET_BYTES);

  /**
   * Blocks a signal.
   *
   * @param kernel The kernel that answers.
   * @param signal Its number.
   * @throws {KernelError} Where the kernel refuses.
   */
  constructor(kernel: Kernel, signal: number) {
    this.#kernel = kernel;
    this.#signal = signal;
    // The mask can only be set as a whole: all are blocked for the moment it takes to read the old one.
    const all = new Uint8Array(SIGSET_BYTES).fill(0xff);
    checked(kernel.sigmask(all, this.#before), "pthread_sigmask");
    const mask = signalSet(signal).map((byte, n) => byte | this.#before[n]!);
    checked(kernel.sigmask(mask, null), "pthread_sigmask");
  }

  /**
   * Sends the signal to the calling thread, where it stays pending.
   *
   * @throws {KernelError} Where the kernel refuses.
   */
  raise(): void {
    checked(this.#kernel.raise(this.#signal), () => `raise(${this.#signal})`);
  }

  /**
   * Takes the signal back.
   *
   * @returns Its number, or minus an errno: EAGAIN where it was not pending.
   */
  take(): number {
    return this.#kernel.sigtimedwait(signalSet(this.#signal));
  }

  /** Takes the signal if it is pending, and unblocks it. */
  [Symbol.dispose](): void {
    this.take();
    checked(this.#kernel.sigmask(this.#before, null), "pthread_sigmask");
  }
}
