// Runs vCPUs on the calling thread, and gives up on one that makes no progress.
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
import type { WorkProgress } from "../host/progress.ts";
import type { Vcpu } from "../kvm/vcpu.ts";
import type { RingVm } from "../machine/guest_vm.ts";

/**
 * Looks without progress after which a vCPU is given up. They are a tick apart: ten seconds on a
 * real kernel.
 */
const LOOKS = 100;

/**
 * Decides when to give up on a vCPU that neither exits nor makes a store. No guest of this program
 * does that, but a kernel with a defect may cause it. It counts looks, not seconds, since the host
 * may stop this program or be suspended.
 */
export class Patience {
  readonly #vcpu: Vcpu;
  readonly #most: number;
  // Stores left at the last look. The initial value differs from every real one.
  #left = -1n;
  #looks = 0;

  /**
   * Starts to count the looks at a vCPU.
   *
   * @param looks Consecutive looks without a store after which the vCPU is given up.
   */
  constructor(vcpu: Vcpu, looks = LOOKS) {
    this.#vcpu = vcpu;
    this.#most = looks;
  }

  /**
   * Looks at the vCPU once. Call it after each tick.
   *
   * @returns Whether to give up: the guest has made no store for that many looks.
   * @throws {KernelError} If its registers cannot be read.
   */
  isOver(): boolean {
    const left = this.#vcpu.register("rcx"); // every guest counts down its stores in rcx
    this.#looks = left === this.#left ? this.#looks + 1 : 0;
    this.#left = left;
    return this.#looks >= this.#most;
  }

  /**
   * The error for a vCPU that was given up.
   *
   * @throws {KernelError} If its registers cannot be read.
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
 * The error for an exit that the guest's program never causes, such as an emulation failure or a
 * triple fault.
 *
 * @param vcpu The vCPU, standing still after `KVM_RUN` returned 0.
 * @returns The error, which names the exit reason, its detail and the guest's `rip`.
 */
export function unexpectedExit(vcpu: Vcpu): GuestError {
  return new GuestError(
    `vCPU ${vcpu.id} stopped with ${exitName(vcpu.exitReason)} (detail ${vcpu.exitDetail}) at ` +
      `rip 0x${vcpu.register("rip").toString(16)}; expected the end of its program or ` +
      "KVM_EXIT_DIRTY_RING_FULL: look into dmesg, and try dirtyring --trace",
  );
}

/**
 * Why a vCPU stopped: its guest's program ended, its ring is full, or a signal asked this process
 * to end.
 */
export type VcpuExit = Guest["exit"] | "KVM_EXIT_DIRTY_RING_FULL" | "KVM_EXIT_INTR";

/**
 * Runs vCPUs on the calling thread, one after another. For vCPUs that run beside the harvester see
 * `drive/live_vcpus.ts`.
 */
export class InlineDriver {
  readonly #interrupt: Interrupt | null;

  /**
   * Creates a driver.
   *
   * @param interrupt Asked each time `KVM_RUN` returns whether to go on. Without one, a signal has
   * its default action and ends the process.
   */
  constructor(interrupt: Interrupt | null = null) {
    this.#interrupt = interrupt;
  }

  /**
   * Runs a vCPU on this thread until it stops. The answer is a promise only if that takes longer
   * than a tick, or if a signal arrives.
   *
   * @returns Why it stopped.
   * @throws {GuestError} If its exit is one that the guest's program never causes, or if it neither
   * makes stores nor stops.
   * @throws {KernelError} If `KVM_RUN` failed.
   */
  run(vcpu: Vcpu): VcpuExit | Promise<VcpuExit> {
    const answer = vcpu.runBriefly();
    return exitOf(vcpu, answer) ?? this.#runOn(vcpu, answer);
  }

  // Continues a vCPU that a tick or a signal stopped.
  async #runOn(vcpu: Vcpu, letGo: number | null): Promise<VcpuExit> {
    const patience = new Patience(vcpu);
    for (let answer = letGo;;) {
      // The event loop must run the listener of a signal first. On the model, ticks are too
      // frequent to yield at each one.
      await this.#interrupt?.pause(answer !== null);
      if ((this.#interrupt?.signal ?? null) !== null) return "KVM_EXIT_INTR";
      if (answer === null && patience.isOver()) throw patience.error();
      answer = vcpu.runBriefly();
      const exit = exitOf(vcpu, answer);
      if (exit !== null) return exit;
    }
  }
}

// Why a vCPU stopped; null after a tick or a signal, when the guest can continue.
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

/** The result of a vCPU in a round that does not resume after a full ring. */
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
 * ring. A signal ends it: the vCPUs behind the one that it stopped make no stores.
 *
 * @param progress Is told that vCPUs run.
 * @returns The results, by vCPU.
 */
export async function runOnce(
  lab: RingVm,
  driver: InlineDriver,
  progress?: WorkProgress,
): Promise<VcpuRun[]> {
  const runs: VcpuRun[] = [];
  const total = lab.vcpus.length;
  using _step = progress?.begin({
    what: "running the guest",
    total,
    unit: "vCPUs",
    done: () => runs.length,
  });
  for (const [id, { vcpu, first, stores }] of lab.vcpus.entries()) {
    lab.begin(id, first, stores);
    const exit = await driver.run(vcpu);
    const left = lab.remaining(id);
    runs.push({ vcpu: id, exit, done: left === 0, stores: stores - left });
    if (exit === "KVM_EXIT_INTR") break;
  }
  return runs;
}
