import { ERRNO } from "../ffi/errno.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { checked, KernelError } from "../ffi/kernel_error.ts";
import { KVM_SET_SIGNAL_MASK } from "../ffi/kvm_ioctls.ts";
import { SIGUSR1 } from "../ffi/linux.ts";
import { kvmSignalMask, signalSet } from "../ffi/sigset.ts";
import { BlockedSignal } from "./blocked_signal.ts";

/** The longest that a real kernel's `KVM_RUN` holds the thread, in microseconds. */
const TICK_US = 100_000;
/**
 * The same of the model, whose clock goes on by a nanosecond with each instruction: few enough for a tenth of a second
 * where each store is the first to its page, and the host has to find memory for it.
 */
const MODEL_TICK_US = 200;

/**
 * The ticks of the thread that runs vCPUs: a timer whose signal the thread blocks and `KVM_RUN` alone lets in
 * (api.rst, section 4.20, "KVM_SET_SIGNAL_MASK"). So neither a guest that never exits nor a kernel that runs it for
 * ever holds the thread for longer than a tick, no tick is lost that comes before the call, and no other system call
 * is interrupted: since Linux 6.17 that would end a reset early.
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
   * @param kernel The kernel that answers.
   * @returns The ticks; `null` on a kernel without such timers (`CONFIG_POSIX_TIMERS`), where there are none.
   * @throws {KernelError} Where the kernel refuses.
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
   * Lets ticks end `KVM_RUN` of a vCPU, for as long as this thread alone runs it.
   *
   * @param fd The vCPU's file descriptor.
   * @throws {KernelError} Where the kernel refuses.
   */
  letInto(fd: number): void {
    const tick = signalSet(SIGUSR1);
    // Whatever else the thread lets in, the vCPU does, too.
    const mask = this.#signal.before.map((byte, n) => byte & ~tick[n]!);
    const answer = this.#kernel.ioctl(fd, KVM_SET_SIGNAL_MASK, kvmSignalMask(mask));
    checked(answer, "KVM_SET_SIGNAL_MASK");
  }

  /**
   * Takes the tick that ended `KVM_RUN`.
   *
   * @returns Whether it was one; another signal did it otherwise.
   */
  take(): boolean {
    return this.#signal.take() === SIGUSR1;
  }

  /** Ends the timer, and takes back what it sent. */
  [Symbol.dispose](): void {
    this.#kernel.deleteTimer(this.#timer);
    this.#signal[Symbol.dispose]();
  }
}
