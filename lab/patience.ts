import type { Vcpu } from "../kvm/vcpu.ts";
import { GuestError } from "./guest_error.ts";

/** Looks at a vCPU between which its guest makes no store: a tick apart, so ten seconds on a real kernel. */
const LOOKS = 100;

/**
 * How long a vCPU is waited for that neither exits nor makes a store: no guest of this program does that, but one on
 * a kernel with a defect may. Looks are counted and not seconds, since a host may stop this program, or be asleep.
 */
export class Patience {
  readonly #vcpu: Vcpu;
  readonly #most: number;
  // Stores left at the last look; there are never so many.
  #left = -1n;
  #looks = 0;

  /**
   * Begins to wait.
   *
   * @param vcpu The vCPU.
   * @param looks Looks without a store between them after which it is given up.
   */
  constructor(vcpu: Vcpu, looks = LOOKS) {
    this.#vcpu = vcpu;
    this.#most = looks;
  }

  /**
   * Looks, after a tick.
   *
   * @returns Whether the guest has made no store for so long that it is given up.
   * @throws {KernelError} Where its registers cannot be read.
   */
  isOver(): boolean {
    const left = this.#vcpu.register("rcx"); // every guest counts its stores down in it
    this.#looks = left === this.#left ? this.#looks + 1 : 0;
    this.#left = left;
    return this.#looks >= this.#most;
  }

  /**
   * What is said of such a guest.
   *
   * @returns The error.
   * @throws {KernelError} Where its registers cannot be read.
   */
  error(): GuestError {
    const { id } = this.#vcpu;
    return new GuestError(
      `vCPU ${id} neither stopped nor made a store in ${this.#most} looks at it, a tick apart: ${this.#left} stores left, ` +
        `rip 0x${
          this.#vcpu.register("rip").toString(16)
        }; look into dmesg, and try dirtyring --trace`,
    );
  }
}
