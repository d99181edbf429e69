import { ERRNO, KernelError } from "../ffi/errors.ts";
import {
  exitName,
  KVM_EXIT_DIRTY_RING_FULL,
  KVM_EXIT_HLT,
  KVM_EXIT_IO,
} from "../ffi/kvm_constants.ts";
import type { Guest } from "../guest/guest.ts";
import { GuestError } from "../host/errors.ts";
import type { Interrupt } from "../host/interrupt.ts";
import type { Vcpu } from "../kvm/vcpu.ts";
import type { RingVm } from "../machine/guest_vm.ts";

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

/**
 * The error for a vCPU that stopped in a way which its guest's program never brings about: an emulation failure,
 * a triple fault.
 *
 * @param vcpu The vCPU, standing still after `KVM_RUN` answered 0.
 * @returns The error, which names exit, detail and place.
 */
export function unexpectedExit(vcpu: Vcpu): GuestError {
  return new GuestError(
    `vCPU ${vcpu.id} stopped with ${exitName(vcpu.exitReason)} (detail ${vcpu.exitDetail}) at ` +
      `rip 0x${vcpu.register("rip").toString(16)}; expected the end of its program or ` +
      "KVM_EXIT_DIRTY_RING_FULL: look into dmesg, and try dirtyring --trace",
  );
}

/** How a vCPU stopped: its guest ended, its ring is full, or a signal asked the program to end. */
export type VcpuExit = Guest["exit"] | "KVM_EXIT_DIRTY_RING_FULL" | "KVM_EXIT_INTR";

/** Runs vCPUs on the calling thread, one after another. Those of a live run run beside it: drive/live_vcpus.ts. */
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

/** How a vCPU fared in a round without resuming. */
export interface VcpuRun {
  /** The vCPU. */
  readonly vcpu: number;
  /** How it stopped. */
  readonly exit: VcpuExit;
  /** Whether it made all its stores. */
  readonly done: boolean;
  /** Stores that it made. */
  readonly stores: number;
}

/**
 * Runs every vCPU once, one after another: each stops when it has made its stores, or at its first full
 * ring.
 *
 * @returns How each fared.
 */
export async function runOnce(lab: RingVm, driver: InlineDriver): Promise<VcpuRun[]> {
  const runs: VcpuRun[] = [];
  for (const [id, { vcpu, first, stores }] of lab.vcpus.entries()) {
    lab.begin(id, first, stores);
    const exit = await driver.run(vcpu);
    const left = lab.remaining(id);
    runs.push({ vcpu: id, exit, done: left === 0, stores: stores - left });
  }
  return runs;
}
