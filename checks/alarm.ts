import type { Kernel } from "../ffi/kernel.ts";
import { checked } from "../ffi/kernel_error.ts";
import type { Machine } from "./machine.ts";

/** A timer that sends SIGALRM into a reset. */
export class Alarm implements Disposable {
  readonly #kernel: Kernel;

  /**
   * Arms nothing yet.
   *
   * @param kernel The kernel that answers, on the process's main thread: there the signal comes.
   */
  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /**
   * Resets a machine's rings, with a signal on the way.
   *
   * @param machine The machine.
   * @param microseconds When it goes off.
   * @returns What the reset answered.
   * @throws {KernelError} Where the timer cannot be armed.
   */
  reset(machine: Machine, microseconds: number): number {
    checked(this.#kernel.setitimer(microseconds), () => `setitimer(${microseconds} µs)`);
    return machine.reset();
  }

  /** Takes the timer back. */
  [Symbol.dispose](): void {
    checked(this.#kernel.setitimer(0), "setitimer(0)");
  }
}
