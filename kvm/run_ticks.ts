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

/** A signal that a thread has blocked: how often, and the mask before the first time. */
interface Blocking {
  times: number;
  readonly before: Uint8Array<ArrayBuffer>;
}

// This thread's, by the kernel that has the mask and the signal. Each model has a mask of its own; whatever stands
// before the real kernel, to trace it, say, there is one.
const threadBlocks = new Map<number, Blocking>();
const modelBlocks = new WeakMap<Kernel, Map<number, Blocking>>();

function blocksOf(kernel: Kernel): Map<number, Blocking> {
  if (kernel.backend !== "model") return threadBlocks;
  const known = modelBlocks.get(kernel);
  if (known !== undefined) return known;
  const made = new Map<number, Blocking>();
  modelBlocks.set(kernel, made);
  return made;
}

// Changes each byte of the thread's mask, and answers the mask before. It can only be set as a whole: all signals are
// blocked for the moment that it takes to read it.
function changeMask(
  kernel: Kernel,
  change: (byte: number, n: number) => number,
): Uint8Array<ArrayBuffer> {
  const before = new Uint8Array(SIGSET_BYTES);
  checked(kernel.sigmask(new Uint8Array(SIGSET_BYTES).fill(0xff), before), "pthread_sigmask");
  checked(kernel.sigmask(before.map(change), null), "pthread_sigmask");
  return before;
}

/**
 * A signal that is blocked on the calling thread for a while. Several may block the same one and end in any order: it is
 * blocked until the last of them has ended, and none is left pending then.
 */
export class BlockedSignal implements Disposable {
  readonly #kernel: Kernel;
  readonly #signal: number;
  readonly #blocking: Blocking;

  /**
   * Blocks a signal.
   *
   * @throws {KernelError} Where the kernel refuses.
   */
  constructor(kernel: Kernel, signal: number) {
    this.#kernel = kernel;
    this.#signal = signal;
    const blocks = blocksOf(kernel);
    let blocking = blocks.get(signal);
    if (blocking === undefined) {
      const bit = signalSet(signal);
      const before = changeMask(kernel, (byte, n) => byte | bit[n]!);
      blocking = { times: 0, before };
      blocks.set(signal, blocking);
    }
    blocking.times++;
    this.#blocking = blocking;
  }

  /** The signals that the thread had blocked before: the bytes of a `sigset_t`, not to be changed. */
  get before(): Uint8Array<ArrayBuffer> {
    return this.#blocking.before;
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

  /** Takes the signal as often as it is pending, and unblocks it where nobody else has it blocked. */
  [Symbol.dispose](): void {
    // Up to Linux 6.12 each timer of the thread may have one queued, though the signal is no real-time one, and it
    // outlives its timer (`send_sigqueue`, kernel/signal.c): one that is left would end the process.
    while (this.take() === this.#signal);
    if (--this.#blocking.times > 0) return;
    blocksOf(this.#kernel).delete(this.#signal);
    // Other signals may have been blocked meanwhile, and stay so.
    const bit = signalSet(this.#signal);
    const { before } = this.#blocking;
    changeMask(this.#kernel, (byte, n) => (byte & ~bit[n]!) | (before[n]! & bit[n]!));
  }
}
