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
 * the host has to allocate memory, which takes up to 20 µs for each of some 2500 stores.
 */
const MODEL_TICK_US = 10;

/** The timer of a thread, and how many use it. */
interface SharedTimer {
  users: number;
  readonly id: number;
  readonly signal: BlockedSignal;
}

/**
 * Things by signal number: of this thread on the real kernel, which is one also behind wrappers such
 * as a trace, and of each model apart.
 */
class BySignal<Thing> {
  readonly #ofThread = new Map<number, Thing>();
  readonly #ofModels = new WeakMap<Kernel, Map<number, Thing>>();

  of(kernel: Kernel): Map<number, Thing> {
    if (kernel.backend !== "model") return this.#ofThread;
    let things = this.#ofModels.get(kernel);
    if (things === undefined) this.#ofModels.set(kernel, things = new Map());
    return things;
  }
}

const timers = new BySignal<SharedTimer>();

/**
 * The ticks of a thread that runs vCPUs: a periodic signal that the thread blocks and only
 * `KVM_RUN` lets in (api.rst, section 4.20, "KVM_SET_SIGNAL_MASK"). So a guest that never exits
 * holds the thread no longer than a tick. A tick that comes before the call is not lost, and no
 * other system call is interrupted: since Linux 6.17 that would end a reset early.
 *
 * All VMs of a thread share one timer, however many there are: the ticks of a vCPU are as far apart
 * with others as without.
 */
export class RunTicks implements Disposable {
  readonly #kernel: Kernel;
  readonly #timer: SharedTimer;

  private constructor(kernel: Kernel, timer: SharedTimer) {
    this.#kernel = kernel;
    this.#timer = timer;
    timer.users++;
  }

  /**
   * Starts the timer of the calling thread, unless it runs already.
   *
   * @returns The ticks; `null` on a kernel without such timers (`CONFIG_POSIX_TIMERS`).
   * @throws {KernelError} If the kernel refuses.
   */
  static start(kernel: Kernel): RunTicks | null {
    const running = timers.of(kernel).get(SIGUSR1);
    if (running !== undefined) return new RunTicks(kernel, running);
    const signal = new BlockedSignal(kernel, SIGUSR1);
    const us = kernel.backend === "model" ? MODEL_TICK_US : TICK_US;
    const id = kernel.startTimer(SIGUSR1, us);
    if (id >= 0) {
      const timer = { users: 0, id, signal };
      timers.of(kernel).set(SIGUSR1, timer);
      return new RunTicks(kernel, timer);
    }
    signal[Symbol.dispose]();
    if (id === -ERRNO.ENOSYS) return null;
    throw new KernelError(`timer_create(SIGUSR1, ${us} µs)`, id);
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
    const mask = this.#timer.signal.before.map((byte, n) => byte & ~tick[n]!);
    const answer = this.#kernel.ioctl(fd, KVM_SET_SIGNAL_MASK, kvmSignalMask(mask));
    checked(answer, "KVM_SET_SIGNAL_MASK");
  }

  /**
   * Takes the tick that ended `KVM_RUN`.
   *
   * @returns Whether there was one; if not, another signal ended the call.
   */
  take(): boolean {
    return this.#timer.signal.take() === SIGUSR1;
  }

  /** Ends the use of the timer; the last one stops it, and removes a tick that is still pending. */
  [Symbol.dispose](): void {
    if (--this.#timer.users > 0) return;
    timers.of(this.#kernel).delete(SIGUSR1);
    this.#kernel.deleteTimer(this.#timer.id);
    this.#timer.signal[Symbol.dispose]();
  }
}

/** A blocked signal of a thread: how many block it, and the mask from before the first. */
interface Blocking {
  times: number;
  readonly before: Uint8Array<ArrayBuffer>;
}

const blocks = new BySignal<Blocking>();

// Changes each byte of the thread's mask, and returns the mask from before. A mask is read by
// setting a new one: all signals are blocked for that moment.
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
 * A signal that the calling thread blocks until this is disposed. Several of these may block the
 * same signal and be disposed in any order: it stays blocked until the last, and then none is left
 * pending.
 */
export class BlockedSignal implements Disposable {
  readonly #kernel: Kernel;
  readonly #signal: number;
  readonly #blocking: Blocking;

  /**
   * Blocks a signal.
   *
   * @throws {KernelError} If the kernel refuses.
   */
  constructor(kernel: Kernel, signal: number) {
    this.#kernel = kernel;
    this.#signal = signal;
    let blocking = blocks.of(kernel).get(signal);
    if (blocking === undefined) {
      const bit = signalSet(signal);
      const before = changeMask(kernel, (byte, n) => byte | bit[n]!);
      blocking = { times: 0, before };
      blocks.of(kernel).set(signal, blocking);
    }
    blocking.times++;
    this.#blocking = blocking;
  }

  /** The signals that the thread blocked before: the bytes of a `sigset_t`, read-only. */
  get before(): Uint8Array<ArrayBuffer> {
    return this.#blocking.before;
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

  /** Removes all pending instances of the signal, and unblocks it if nobody else has it blocked. */
  [Symbol.dispose](): void {
    // Up to Linux 6.12 a timer may have one instance queued beside others, although this is no
    // real-time signal, and it outlives its timer (`send_sigqueue`, kernel/signal.c). One that is
    // left would end the process.
    while (this.take() === this.#signal);
    if (--this.#blocking.times > 0) return;
    blocks.of(this.#kernel).delete(this.#signal);
    // Other signals that were blocked meanwhile stay blocked.
    const bit = signalSet(this.#signal);
    const { before } = this.#blocking;
    changeMask(this.#kernel, (byte, n) => (byte & ~bit[n]!) | (before[n]! & bit[n]!));
  }
}
