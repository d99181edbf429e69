import { ERRNO } from "../ffi/errno.ts";
import { KernelError } from "../ffi/kernel_error.ts";
import { KVM_EXIT_DIRTY_RING_FULL, KVM_EXIT_HLT, KVM_EXIT_IO } from "../ffi/kvm_constants.ts";
import type { Guest } from "../guest/guest.ts";
import type { Vcpu } from "../kvm/vcpu.ts";
import type { Interrupt } from "./interrupt.ts";
import { Patience } from "./patience.ts";
import { unexpectedExit } from "./unexpected_exit.ts";

/** How a vCPU stopped: its guest ended, its ring is full, or a signal asked the program to end. */
export type VcpuExit = Guest["exit"] | "KVM_EXIT_DIRTY_RING_FULL" | "KVM_EXIT_INTR";

/** Runs vCPUs on the calling thread, one after another. Those of a live run run beside it: live/live_vcpus.ts. */
export class InlineDriver {
  readonly #interrupt: Interrupt | null;

  /**
   * Makes a driver.
   *
   * @param interrupt Asked, whenever `KVM_RUN` lets go, whether to go on. Without one the default action of a
   * signal ends the process.
   */
  constructor(interrupt: Interrupt | null = null) {
    this.#interrupt = interrupt;
  }

  /**
   * Runs a vCPU until it stops, here and now; only where that takes longer than a tick, or a signal comes, does the
   * answer come later.
   *
   * @param vcpu The vCPU.
   * @returns How it stopped.
   * @throws {GuestError} Where it stopped in a way that the guest's program never does, or makes no store any more
   * and does not stop.
   * @throws {KernelError} Where `KVM_RUN` failed.
   */
  run(vcpu: Vcpu): VcpuExit | Promise<VcpuExit> {
    const answer = vcpu.runBriefly();
    return exitOf(vcpu, answer) ?? this.#runOn(vcpu, answer);
  }

  // A vCPU that was stopped goes on where it was.
  async #runOn(vcpu: Vcpu, letGo: number | null): Promise<VcpuExit> {
    const patience = new Patience(vcpu);
    for (let answer = letGo;;) {
      // A signal's listener has to run first; on the model ticks come more often than the event loop needs a turn.
      await this.#interrupt?.pause(answer !== null);
      if ((this.#interrupt?.signal ?? null) !== null) return "KVM_EXIT_INTR";
      if (answer === null && patience.isOver()) throw patience.error();
      answer = vcpu.runBriefly();
      const exit = exitOf(vcpu, answer);
      if (exit !== null) return exit;
    }
  }
}

// How a vCPU stopped; null where a tick or a signal let go of it, and the guest can go on.
function exitOf(vcpu: Vcpu, answer: number | null): VcpuExit | null {
  if (answer === null || answer === -ERRNO.EINTR) return null;
  if (answer !== 0) throw new KernelError(`KVM_RUN on vCPU ${vcpu.id}`, answer);
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
