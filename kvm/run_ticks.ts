import { checked, ERRNO, KernelError } from "../ffi/errors.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { KVM_SET_SIGNAL_MASK } from "../ffi/kvm_ioctls.ts";
import { SIGSET_BYTES, SIGUSR1 } from "../ffi/linux.ts";
import { kvmSignalMask, signalSet } from "../ffi/process.ts";

/** The longest that `KVM_RUN` of a real kernel holds the thread, in microseconds. */
const TICK_US = 100_000;
/**
 * The same for the model, whose clock advances by a nanosecond for each instruction. So many
 * instructions take less than a tenth of a second even if each store is the first to its page and
 * the host has to allocate memory.
 */
const MODEL_TICK_US = 200;

/**
 * The ticks of a thread that runs vCPUs: a periodic signal that the thread blocks and only
 * `KVM_RUN` lets in (api.rst, section 4.20, "KVM_SET_SIGNAL_MASK"). So a guest that never exits
 * holds the thread no longer than a tick. A tick that comes before the call is not lost, and no
 * other system call is interrupted: since Linux 6.17 that would end a reset early.
 */
export class RunTicks implements Disposable {
  readonly #kernel: Kernel;
  readonly #signal: BlockedSignal;
  readonly #timer: number;

  private constructor(kernel: Kernel, signal: BlockedSignal, timer: number) {
    this.#kernel = kernel;
    this.#signal = signal;
    this.#timer = timer;
  }

  /**
   * Starts the timer, for the calling thread.
   *
   * @returns The ticks; `null` on a kernel without such timers (`CONFIG_POSIX_TIMERS`).
   * @throws {KernelError} If the kernel refuses.
   */
  static start(kernel: Kernel): RunTicks | null {
    const signal = new BlockedSignal(kernel, SIGUSR1);
    const us = kernel.backend === "model" ? MODEL_TICK_US : TICK_US;
    const timer = kernel.startTimer(SIGUSR1, us);
    if (timer >= 0) return new RunTicks(kernel, signal, timer);
    signal[Symbol.dispose]();
    if (timer === -ERRNO.ENOSYS) return null;
    throw new KernelError(`timer_create(SIGUSR1, ${us} µs)`, timer);
  }

  /**
   * Lets ticks end `KVM_RUN` of a vCPU. From then on only this thread may run it.
   *
   * @param fd The vCPU's file descriptor.
   * @throws {KernelError} If the kernel refuses.
   */
  letInto(fd: number): void {
    const tick = signalSet(SIGUSR1);
    // The thread's mask from before the ticks, without the tick's signal.
    const mask = this.#signal.before.map((byte, n) => byte & ~tick[n]!);
    const answer = this.#kernel.ioctl(fd, KVM_SET_SIGNAL_MASK, kvmSignalMask(mask));
    checked(answer, "KVM_SET_SIGNAL_MASK");
  }

  /**
   * Takes the tick that ended `KVM_RUN`.
   *
   * @returns Whether there was one; if not, another signal ended the call.
   */
  take(): boolean {
    return this.#signal.take() === SIGUSR1;
  }

  /** Stops the timer, and removes a tick that is still pending. */
  [Symbol.dispose](): void {
    this.#kernel.deleteTimer(this.#timer);
    this.#signal[Symbol.dispose]();
  }
}

/** A signal that the calling thread blocks until this is disposed; then it is not left pending. */
export class BlockedSignal implements Disposable {
  readonly #kernel: Kernel;
  readonly #signal: number;
  readonly #before = new Uint8Array(SIGSET_BYTES);

  /**
   * Blocks a signal.
   *
   * @throws {KernelError} If the kernel refuses.
   */
  constructor(kernel: Kernel, signal: number) {
    this.#kernel = kernel;
    this.#signal = signal;
    // A mask is read by setting a new one: block all signals for that moment.
    const all = new Uint8Array(SIGSET_BYTES).fill(0xff);
    checked(kernel.sigmask(all, this.#before), "pthread_sigmask");
    const mask = signalSet(signal).map((byte, n) => byte | this.#before[n]!);
    checked(kernel.sigmask(mask, null), "pthread_sigmask");
  }

  /** The signals that the thread blocked before: the bytes of a `sigset_t`, read-only. */
  get before(): Uint8Array<ArrayBuffer> {
    return this.#before;
  }

  /**
   * Sends the signal to the calling thread, where it stays pending.
   *
   * @throws {KernelError} If the kernel refuses.
   */
  raise(): void {
    checked(this.#kernel.raise(this.#signal), () => `raise(${this.#signal})`);
  }

  /**
   * Removes the pending signal.
   *
   * @returns Its number, or minus an errno: EAGAIN if it was not pending.
   */
  take(): number {
    return this.#kernel.sigtimedwait(signalSet(this.#signal));
  }

  /** Removes the signal if it is pending, and restores the mask from before. */
  [Symbol.dispose](): void {
    this.take();
    checked(this.#kernel.sigmask(this.#before, null), "pthread_sigmask");
  }
}
