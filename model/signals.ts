// Signals, timers and the clock of the model, and the state that all its files share.
import { ERRNO } from "../ffi/errors.ts";
import type { PushStep } from "../ffi/insight.ts";
import { SIGALRM } from "../ffi/linux.ts";
import type { Rules } from "./dirty_ring.ts";
import { AddressSpace } from "./slots.ts";

/** How far the model's clock advances for each entry that is reset, in nanoseconds. */
export const RESET_NS = 100;
/** How far it advances for each instruction of the guest, in nanoseconds. */
export const INSTRUCTION_NS = 1;

function word(set: Uint8Array<ArrayBuffer>): bigint {
  return new DataView(set.buffer, set.byteOffset).getBigUint64(0, true);
}

function bit(signal: number): bigint {
  return 1n << BigInt(signal - 1);
}

/** A periodic timer. */
interface Timer {
  readonly signal: number;
  readonly everyNs: number;
  nextNs: number;
}

/**
 * The calling thread's signals, and timers on the model's own clock. That clock advances with the
 * work that the kernel does, so that a signal arrives at the same ring entry in every run.
 */
export class Signals {
  #mask = 0n;
  #pending = 0n;
  #clockNs = 0;
  #alarmNs = Infinity;
  readonly #timers: (Timer | null)[] = [];

  /** The signals that are blocked: bit n − 1 is signal n. */
  get mask(): bigint {
    return this.#mask;
  }

  /**
   * `pthread_sigmask` with `SIG_SETMASK`.
   *
   * @param set 128 bytes of `sigset_t`.
   * @param old 128 bytes that receive the previous set, or `null`.
   * @returns 0.
   */
  setMask(set: Uint8Array<ArrayBuffer>, old: Uint8Array<ArrayBuffer> | null): number {
    if (old !== null) {
      old.fill(0);
      new DataView(old.buffer, old.byteOffset).setBigUint64(0, this.#mask, true);
    }
    this.#mask = word(set);
    return 0;
  }

  /**
   * Sends a signal to the thread.
   *
   * @returns 0, or -EINVAL.
   */
  raise(signal: number): number {
    if (!Number.isInteger(signal) || signal < 1 || signal > 64) return -ERRNO.EINVAL;
    this.#pending |= bit(signal);
    this.endCall();
    return 0;
  }

  /**
   * Takes a pending signal of a set.
   *
   * @param set 128 bytes of `sigset_t`.
   * @returns The signal, or -EAGAIN.
   */
  take(set: Uint8Array<ArrayBuffer>): number {
    const wanted = word(set) & this.#pending;
    for (let signal = 1; signal <= 64; signal++) {
      if ((wanted & bit(signal)) === 0n) continue;
      this.#pending &= ~bit(signal);
      return signal;
    }
    return -ERRNO.EAGAIN;
  }

  /**
   * Arms the one-shot timer that sends SIGALRM, or disarms it.
   *
   * @param microseconds When it goes off; 0 disarms it.
   * @returns 0.
   */
  arm(microseconds: number): number {
    this.#alarmNs = microseconds === 0 ? Infinity : this.#clockNs + microseconds * 1000;
    return 0;
  }

  /**
   * Starts a periodic timer.
   *
   * @param signal The signal that it sends.
   * @param microseconds The period.
   * @returns The timer's number.
   */
  start(signal: number, microseconds: number): number {
    const everyNs = microseconds * 1000;
    const free = this.#timers.indexOf(null);
    const timer = free === -1 ? this.#timers.length : free;
    this.#timers[timer] = { signal, everyNs, nextNs: this.#clockNs + everyNs };
    return timer;
  }

  /**
   * Ends a periodic timer.
   *
   * @returns 0, or -EINVAL if there is no such timer.
   */
  delete(timer: number): number {
    if ((this.#timers[timer] ?? null) === null) return -ERRNO.EINVAL;
    this.#timers[timer] = null;
    return 0;
  }

  /**
   * Advances the clock.
   *
   * @param ns Nanoseconds.
   */
  advance(ns: number): void {
    this.#clockNs += ns;
    for (const timer of this.#timers) {
      if (timer === null || this.#clockNs < timer.nextNs) continue;
      // Missed ticks are dropped.
      timer.nextNs = this.#clockNs + timer.everyNs;
      this.#pending |= bit(timer.signal);
    }
    if (this.#clockNs < this.#alarmNs) return;
    this.#alarmNs = Infinity;
    this.#pending |= bit(SIGALRM);
  }

  /**
   * `signal_pending(current)`: whether a signal is pending that is not blocked.
   *
   * @param mask The signals that are blocked; the thread's own mask by default.
   */
  isPending(mask: bigint = this.#mask): boolean {
    return this.#pending !== 0n && (this.#pending & ~mask) !== 0n;
  }

  /**
   * The end of a system call: signals that are not blocked are delivered to handlers that do
   * nothing.
   */
  endCall(): void {
    this.#pending &= this.#mask;
  }
}

/** The state that all files of a model share: one for each model. A VM's own state is `ModelVm`. */
export class ModelState {
  /** The kernel's rules. */
  readonly rules: Rules;
  /** The program's address space. */
  readonly space: AddressSpace = new AddressSpace();
  /** The calling thread's signals. */
  readonly signals: Signals = new Signals();
  /** Whether the current call comes from a process other than the one that made the VM. */
  isElsewhere = false;
  /** Whether the next allocation of a ring fails. */
  failsAllocation = false;
  /** The most entries that one `KVM_RESET_DIRTY_RINGS` call resets. */
  resetMaximum: number;
  /** Called after each step of a push. */
  pushWatcher: ((step: PushStep, vcpuFd: number, index: number) => void) | null = null;

  /** Begins with nothing mapped. */
  constructor(rules: Rules) {
    this.rules = rules;
    this.resetMaximum = rules.resetMaximum;
  }
}
