import { checked, ERRNO, KernelError } from "../ffi/errors.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { KVM_SET_SIGNAL_MASK } from "../ffi/kvm_ioctls.ts";
import { SIGSET_BYTES, SIGUSR1 } from "../ffi/linux.ts";
import { kvmSignalMask, signalSet } from "../ffi/process.ts";

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

/** A signal that is blocked on the calling thread for a while; none is left pending afterwards. */
export class BlockedSignal implements Disposable {
  readonly #kernel: Kernel;
  readonly #signal: number;
  readonly #before = new Uint8Array(SIGSET_BYTES);

  /**
   * Blocks a signal.
   *
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
