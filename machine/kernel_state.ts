// The private state of a kernel's rings: from the model, or from a tracepoint of a real kernel.
import { HostError } from "../ffi/errors.ts";
import type { Insight } from "../ffi/insight.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { inferReserved, largestRing, smallestRing, System } from "../kvm/system.ts";
import { TraceSamples } from "../kvm/trace_samples.ts";
import type { Vcpu } from "../kvm/vcpu.ts";
import type { Vm } from "../kvm/vm.ts";
import type { RingVm } from "./guest_vm.ts";

/** A ring's private state in the kernel, which userspace cannot see through its mapping. */
export interface KernelState extends RingIndices {
  /** Size in entries. */
  readonly size: number;
  /**
   * The number of used entries from which on a guest entry exits with a full ring; `null` if it
   * cannot be inferred.
   */
  readonly softLimit: number | null;
  /**
   * Whether the soft limit is inferred from the smallest ring that the kernel accepts, since no
   * tracepoint reports it.
   */
  readonly softLimitInferred: boolean;
  /**
   * The source of the indices: a real kernel's tracepoint `kvm_dirty_ring_reset`, or the model
   * itself.
   */
  readonly source: "tracepoint" | "model";
}

/** Reads the private state of a lab's rings. */
export interface KernelStates extends Disposable {
  /**
   * The rings' current state. On a real kernel this makes a reset that finds nothing to take.
   *
   * @param lab The lab. Its vCPUs must stand still, and no entry may be harvested that a reset
   * would take.
   * @returns The state of each vCPU's ring.
   * @throws {KernelError} If the reset fails.
   * @throws {HostError} If the tracepoint does not report every ring.
   */
  now(lab: RingVm): readonly KernelState[];
  /**
   * Makes a reset, and reads the state in which it leaves the rings.
   *
   * @param reset Makes one `KVM_RESET_DIRTY_RINGS`.
   * @returns Its answer, and the state of each vCPU's ring.
   * @throws {HostError} If the tracepoint does not report every ring.
   */
  after<Answer>(lab: RingVm, reset: () => Answer): readonly [Answer, readonly KernelState[]];
}

/**
 * Opens the source of the rings' private state.
 *
 * @returns The source, which the caller disposes of.
 * @throws {HostError} If a real kernel's tracepoints cannot be used, or it has no dirty ring.
 * @throws {KernelError} If the kernel refuses for another reason.
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

/**
 * Pages of the trace buffer: room for one event per ring of a VM with as many vCPUs as any kernel
 * allows.
 */
const BUFFER_PAGES = 64;

/** A ring's private indices, free-running u32, which userspace cannot see through its mapping. */
export interface RingIndices {
  /** `dirty_index`: the entry of the next push. */
  readonly dirtyIndex: number;
  /** `reset_index`: the entry at which the next reset begins. */
  readonly resetIndex: number;
}

/** The answer of a reset, and the indices of the rings after it. */
export interface WatchedReset<Answer> {
  /** The answer of the call. */
  readonly answer: Answer;
  /** Each vCPU's indices after it. */
  readonly indices: readonly RingIndices[];
}

/**
 * Reads the private indices of a real kernel's rings. `KVM_RESET_DIRTY_RINGS` walks every ring of
 * its VM, even an empty one, and the tracepoint at the end of each walk
 * (`trace_kvm_dirty_ring_reset`, virt/kvm/dirty_ring.c) reports the ring's indices. A reset that
 * finds nothing harvested changes no entry, so it can be used to read the indices at any time.
 */
export class RingWalks implements Disposable {
  readonly #samples: TraceSamples<"index" | "dirty_index" | "reset_index">;

  /**
   * Prepares to watch resets that the calling thread makes.
   *
   * @param kernel A real kernel.
   * @throws {HostError} If tracefs, the tracepoint or the permission is missing.
   * @throws {KernelError} If the kernel refuses for another reason.
   */
  constructor(kernel: Kernel) {
    const fields = ["index", "dirty_index", "reset_index"] as const;
    this.#samples = new TraceSamples(kernel, "kvm_dirty_ring_reset", fields, BUFFER_PAGES);
  }

  /**
   * Makes a reset, and reads the indices in which it leaves the rings.
   *
   * @param vcpus The VM's vCPUs.
   * @param reset Makes one `KVM_RESET_DIRTY_RINGS`, on the calling thread.
   * @returns Its answer, and the indices of each vCPU's ring.
   * @throws {HostError} If the tracepoint does not report exactly one walk over each ring.
   */
  watch<Answer>(vcpus: readonly Vcpu[], reset: () => Answer): WatchedReset<Answer> {
    this.#samples.enable();
    let answer;
    try {
      answer = reset();
    } finally {
      this.#samples.disable();
    }
    const { samples, lost } = this.#samples.take();
    const indices = vcpus.map(({ id }) => {
      const [walk, ...more] = samples.filter(({ index }) => index === id);
      if (walk !== undefined && more.length === 0) {
        return { dirtyIndex: walk.dirty_index, resetIndex: walk.reset_index };
      }
      const walks = walk === undefined ? 0 : 1 + more.length;
      throw new HostError(
        `kvm:kvm_dirty_ring_reset: ${walks} walks over vCPU ${id}'s ring in one reset, and ${lost} ` +
          "events that found no room in the buffer; expected one walk",
        "look whether this kernel's kvm_dirty_ring_reset() still traces every ring",
      );
    });
    return { answer, indices };
  }

  /**
   * Reads the current indices, by a reset. It changes nothing, provided that no harvested entry
   * awaits a reset.
   *
   * @param vcpus The VM's vCPUs, which must stand still.
   * @returns The entries that the reset took, which should be 0, and the indices.
   * @throws {KernelError} If the reset fails.
   * @throws {HostError} If the tracepoint does not report exactly one walk over each ring.
   */
  ask(vm: Vm, vcpus: readonly Vcpu[]): WatchedReset<number> {
    return this.watch(vcpus, () => vm.resetDirtyRings().count);
  }

  /** Releases the event and its buffer. */
  [Symbol.dispose](): void {
    this.#samples[Symbol.dispose]();
  }
}
