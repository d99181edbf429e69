import { HostError } from "../ffi/host_error.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { TraceSamples } from "../kvm/trace_samples.ts";
import type { Vcpu } from "../kvm/vcpu.ts";
import type { Vm } from "../kvm/vm.ts";

/** Room for a walk over each ring of a VM, as many as any kernel lets it have. */
const BUFFER_PAGES = 64;

/** A ring's private indices, which no mapping shows: free-running u32. */
export interface RingIndices {
  /** `dirty_index`: where the next push goes. */
  readonly dirtyIndex: number;
  /** `reset_index`: where the next reset begins. */
  readonly resetIndex: number;
}

/** What a reset came to, and where it left the rings. */
export interface WatchedReset<Answer> {
  /** What the call answered. */
  readonly answer: Answer;
  /** Each vCPU's indices after it. */
  readonly indices: readonly RingIndices[];
}

/**
 * Reads the private indices of the rings of a real kernel. A `KVM_RESET_DIRTY_RINGS` walks every ring of its
 * VM, an empty one too, and the tracepoint at the end of each walk (`trace_kvm_dirty_ring_reset`,
 * virt/kvm/dirty_ring.c) tells the ring's indices. A reset that finds nothing harvested touches no entry, so
 * the indices can be asked for at any time.
 */
export class RingWalks implements Disposable {
  readonly #samples: TraceSamples<"index" | "dirty_index" | "reset_index">;

  /**
   * Makes ready to watch resets of the calling thread.
   *
   * @param kernel The kernel that answers, a real one.
   * @throws {HostError} Where tracefs, the tracepoint or the permission is missing.
   * @throws {KernelError} Where the kernel refuses for another reason.
   */
  constructor(kernel: Kernel) {
    const fields = ["index", "dirty_index", "reset_index"] as const;
    this.#samples = new TraceSamples(kernel, "kvm_dirty_ring_reset", fields, BUFFER_PAGES);
  }

  /**
   * Makes a reset and watches where it leaves the rings.
   *
   * @param vcpus The VM's vCPUs.
   * @param reset Makes one `KVM_RESET_DIRTY_RINGS`, on the calling thread.
   * @returns Its answer, and the indices of each vCPU's ring.
   * @throws {HostError} Where the tracepoint does not tell of one walk over each ring.
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
   * Asks for the indices as they are: while nothing is harvested and not reset, a reset changes nothing.
   *
   * @param vm The VM.
   * @param vcpus Its vCPUs, which stand still.
   * @returns The entries that the reset took all the same, 0 as it should be, and the indices.
   * @throws {KernelError} Where the reset fails.
   * @throws {HostError} Where the tracepoint does not tell of one walk over each ring.
   */
  ask(vm: Vm, vcpus: readonly Vcpu[]): WatchedReset<number> {
    return this.watch(vcpus, () => vm.resetDirtyRings().count);
  }

  /** Gives the event and its buffer back. */
  [Symbol.dispose](): void {
    this.#samples[Symbol.dispose]();
  }
}
