import { HostError } from "../ffi/host_error.ts";
import type { Insight } from "../ffi/insight.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { System } from "../kvm/system.ts";
import type { RingVm } from "./guest_vm.ts";
import { inferReserved, largestRing, smallestRing } from "../machine/ring_limits.ts";
import { type RingIndices, RingWalks } from "./ring_walks.ts";

/** A ring's private state, which no mapping shows. */
export interface KernelState extends RingIndices {
  /** Size in entries. */
  readonly size: number;
  /** Entries in use from which a guest entry reports a full ring; `null` where it cannot be inferred. */
  readonly softLimit: number | null;
  /** No tracepoint tells the soft limit: it is inferred from the smallest ring that the kernel accepts. */
  readonly softLimitInferred: boolean;
  /** Who tells the indices: a real kernel's tracepoint `kvm_dirty_ring_reset`, or the model itself. */
  readonly source: "tracepoint" | "model";
}

/** Asks a kernel for the private state of a lab's rings. */
export interface KernelStates extends Disposable {
  /**
   * The rings' state now. A real kernel is asked with a reset that finds nothing to take.
   *
   * @param lab The lab; its vCPUs stand still, and no entry is harvested that a reset would take.
   * @returns Each vCPU's state.
   * @throws {KernelError} Where the reset fails.
   * @throws {HostError} Where the tracepoint does not tell of every ring.
   */
  now(lab: RingVm): readonly KernelState[];
  /**
   * Makes a reset, and tells the state in which it leaves the rings.
   *
   * @param lab The lab.
   * @param reset Makes one `KVM_RESET_DIRTY_RINGS`.
   * @returns Its answer, and each vCPU's state.
   * @throws {HostError} Where the tracepoint does not tell of every ring.
   */
  after<Answer>(lab: RingVm, reset: () => Answer): readonly [Answer, readonly KernelState[]];
}

/**
 * Makes ready to ask for the private state of rings.
 *
 * @param kernel The kernel that answers.
 * @returns What asks it.
 * @throws {HostError} Where a real kernel answers and its tracepoints cannot be used, or it has no dirty ring.
 * @throws {KernelError} Where it refuses for another reason.
 */
export function kernelStates(kernel: Kernel): KernelStates {
  return kernel.insight === null ? new TracedStates(kernel) : modelStates(kernel.insight);
}

function modelStates(insight: Insight): KernelStates {
  const now = (lab: RingVm) =>
    lab.vcpus.map(({ vcpu }): KernelState => {
      const state = insight.ring(vcpu.fd);
      if (state === null) throw new TypeError(`vCPU ${vcpu.id} has no ring`);
      const { dirtyIndex, resetIndex, size, softLimit } = state;
      const known = { softLimitInferred: false, source: "model" } as const;
      return { dirtyIndex, resetIndex, size, softLimit, ...known };
    });
  return {
    now,
    after(lab, reset) {
      const answer = reset();
      return [answer, now(lab)];
    },
    [Symbol.dispose]() {},
  };
}

class TracedStates implements KernelStates {
  readonly #walks: RingWalks;
  readonly #reserved: number | null;

  constructor(kernel: Kernel) {
    using system = System.open(kernel);
    this.#reserved = inferReserved(smallestRing(system, largestRing(system)));
    this.#walks = openWalks(kernel);
  }

  now(lab: RingVm): KernelState[] {
    const { answer, indices } = this.#walks.ask(lab.vm, lab.vcpus.map(({ vcpu }) => vcpu));
    if (answer === 0) return this.#states(lab, indices);
    throw new TypeError(`Cannot ask for the state of rings: asking has reset ${answer} entries`);
  }

  after<Answer>(lab: RingVm, reset: () => Answer): [Answer, KernelState[]] {
    const { answer, indices } = this.#walks.watch(lab.vcpus.map(({ vcpu }) => vcpu), reset);
    return [answer, this.#states(lab, indices)];
  }

  #states(lab: RingVm, indices: readonly RingIndices[]): KernelState[] {
    return indices.map((ring, id) => {
      const size = lab.tracker.rings[id]!.ring.entries;
      const softLimit = this.#reserved === null ? null : size - this.#reserved;
      return { ...ring, size, softLimit, softLimitInferred: true, source: "tracepoint" };
    });
  }

  [Symbol.dispose](): void {
    this.#walks[Symbol.dispose]();
  }
}

function openWalks(kernel: Kernel): RingWalks {
  try {
    return new RingWalks(kernel);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    const { what, advice } = error;
    throw new HostError((name) => `${name("kernel-state")}: ${what}`, advice);
  }
}
