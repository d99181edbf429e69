import type { Kernel } from "../ffi/kernel.ts";
import { checked } from "../ffi/kernel_error.ts";
import { SIGSET_BYTES } from "../ffi/linux.ts";
import { signalSet } from "../ffi/sigset.ts";

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

  /** The signals that the thread had blocked before: the bytes of a `sigset_t`, not to be changed. */
  get before(): Uint8Array<ArrayBuffer> {
    return this.#before;
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
