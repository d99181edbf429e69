import { ERRNO } from "../ffi/errno.ts";
import { KernelError } from "../ffi/kernel_error.ts";
import { KVM_EXIT_DIRTY_RING_FULL, KVM_EXIT_HLT, KVM_EXIT_IO } from "../ffi/kvm_constants.ts";
import type { Vcpu } from "../kvm/vcpu.ts";
import type { VcpuDriver, VcpuExit } from "./driver.ts";
import type { Interrupt } from "./interrupt.ts";
import { unexpectedExit } from "./unexpected_exit.ts";

/** Runs vCPUs on the calling thread, one after another. */
export class InlineDriver implements VcpuDriver {
  readonly #interrupt: Interrupt | null;

  /**
   * Makes a driver.
   *
   * @param interrupt Asked, after `KVM_RUN` was interrupted, whether to go on. Without one the default
   * action of a signal ends the process, so that `KVM_RUN` is never interrupted.
   */
  constructor(interrupt: Interrupt | null = null) {
    this.#interrupt = interrupt;
  }

  /**
   * Runs a vCPU until it stops, here and now; only after a signal does the answer come later.
   *
   * @param vcpu The vCPU.
   * @returns How it stopped.
   * @throws {GuestError} Where it stopped in a way that the guest's program never does.
   * @throws {KernelError} Where `KVM_RUN` failed.
   */
  run(vcpu: Vcpu): VcpuExit | Promise<VcpuExit> {
    const answer = vcpu.run();
    if (answer === 0) return exitOf(vcpu);
    if (answer === -ERRNO.EINTR) return this.#runOn(vcpu);
    throw new KernelError(`KVM_RUN on vCPU ${vcpu.id}`, answer);
  }

  // Lets the signal's listener run first; a vCPU that was stopped goes on where it was.
  async #runOn(vcpu: Vcpu): Promise<VcpuExit> {
    await this.#interrupt?.pause(true);
    return (this.#interrupt?.signal ?? null) === null ? await this.run(vcpu) : "KVM_EXIT_INTR";
  }
}

function exitOf(vcpu: Vcpu): VcpuExit {
  switch (vcpu.exitReason) {
    case KVM_EXIT_HLT:
      return "KVM_EXIT_HLT";
    case KVM_EXIT_IO:
      return "KVM_EXIT_IO";
    case KVM_EXIT_DIRTY_RING_FULL:
      return "KVM_EXIT_DIRTY_RING_FULL";
    default:
      throw unexpectedExit(vcpu);
  }
}
