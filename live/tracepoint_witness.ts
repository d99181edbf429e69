import { HostError } from "../ffi/host_error.ts";
import type { Vm } from "../kvm/vm.ts";
import { type KernelCounts, modelCounts, tracedCounts, type WatchedVcpu } from "./kernel_counts.ts";
import type { RingIndices } from "../lab/ring_walks.ts";
import { type HarvestCounts, pushesOf, witnessProblems } from "./witness_problems.ts";

/** One vCPU, as the kernel and the harvester counted it, with its ring's indices in the end. */
export interface WitnessedVcpu extends RingIndices {
  /** The vCPU. */
  readonly vcpu: number;
  /** Entries that the kernel pushed. */
  readonly pushes: number;
  /** Entries that were harvested. */
  readonly entries: number;
  /** Guest entries that the kernel refused with a full ring; `null` for the model, which does not tell. */
  readonly ringFullExits: number | null;
  /** `KVM_EXIT_DIRTY_RING_FULL` exits that were seen. */
  readonly fullExits: number;
}

/** A harvest held against what the kernel itself counted. */
export interface WitnessResult {
  /** Who counted: the tracepoints of a real kernel, or the model's own indices. */
  readonly source: "tracepoints" | "model";
  /** The vCPUs, in their order. */
  readonly vcpus: readonly WitnessedVcpu[];
  /** Rings that the kernel walked, each vCPU's in each reset, empty or not; `null` for the model. */
  readonly walks: number | null;
  /** `KVM_RESET_DIRTY_RINGS` calls that were made. */
  readonly resets: number;
  /** Each difference, in words. */
  readonly problems: readonly string[];
  /** Whether there is none. */
  readonly ok: boolean;
}

/**
 * Holds a harvest against what the kernel counted meanwhile, independently of the rings' memory. On a real
 * kernel it counts the tracepoints `kvm_dirty_ring_push` and `kvm_dirty_ring_exit` on each vCPU's thread and
 * `kvm_dirty_ring_reset` on the calling one, all exactly, and asks for the rings' indices at the beginning and
 * at the end, with a reset of its own. The model tells its indices.
 *
 * Closing it takes a tenth of a second: for each tracepoint the kernel waits until no processor is in it.
 *
 * @example
 * ```ts
 * import { THIS_THREAD } from "../kvm/tracepoint.ts";
 * import { openKernel } from "../lab/backend.ts";
 * import { ringVm } from "../lab/guest_vm.ts";
 * import { InlineDriver } from "../lab/inline_driver.ts";
 * import { planLab } from "../lab/plan.ts";
 * import { TraceWitness } from "./tracepoint_witness.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const kernel = await openKernel({ backend: "model", model: undefined }, null, () => {});
 * const pattern = { name: "sequential", parameter: 0 } as const;
 * const sizes = { vcpus: 1, memory: 2 ** 20, slots: 1, ringBytes: 2 ** 12, pages: 100, rounds: 1, seed: 1 };
 * using lab = ringVm(kernel, planLab({ guest: "long64", pattern, ...sizes }));
 * const { vcpu } = lab.vcpus[0]!;
 * using witness = TraceWitness.open(lab.vm, [{ vcpu, tid: THIS_THREAD }]);
 * lab.begin(0, 0, 100);
 * await new InlineDriver().run(vcpu);
 * const entries = [lab.tracker.learn([0])];
 * lab.tracker.rearm();
 * const { ok, vcpus } = witness.result({ entries, fullExits: [0], resets: 1 });
 * assertEquals([ok, vcpus[0]!.pushes, vcpus[0]!.resetIndex], [true, 100, 100]);
 * ```
 */
export class TraceWitness implements Disposable {
  readonly #counts: KernelCounts;

  private constructor(counts: KernelCounts) {
    this.#counts = counts;
  }

  /**
   * Begins to count.
   *
   * @param vm The VM; all its resets are made on the calling thread.
   * @param vcpus All its vCPUs by their ids, which stand still, their rings empty. Each of them stays on the
   * thread that is named for it; several may share one.
   * @returns The witness.
   * @throws {HostError} Where a real kernel's tracepoints cannot be used: what is missing, and what to do.
   * @throws {KernelError} Where it refuses for another reason: ESRCH where there is no such thread.
   */
  static open(vm: Vm, vcpus: readonly WatchedVcpu[]): TraceWitness {
    const { insight } = vm.kernel;
    if (insight !== null) return new TraceWitness(modelCounts(insight, vcpus));
    try {
      return new TraceWitness(tracedCounts(vm, vcpus));
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      const { what, advice } = error;
      throw new HostError((name) => `${name("witness")}: ${what}`, advice);
    }
  }

  /**
   * Holds a harvest against what was counted. All vCPUs stand still, the last harvest is complete, and it is
   * reset. Their threads may have ended.
   *
   * @param harvest What the harvester counted since the witness was opened.
   * @returns Both sides, and their differences.
   * @throws {KernelError} Where the kernel fails a call.
   */
  result(harvest: HarvestCounts): WitnessResult {
    const counted = this.#counts.read();
    const problems = witnessProblems(counted, harvest);
    return {
      source: this.#counts.source,
      vcpus: counted.vcpus.map((one, n) => ({
        vcpu: one.vcpu,
        pushes: pushesOf(one, harvest.entries[n]!),
        entries: harvest.entries[n]!,
        ringFullExits: one.ringFullExits,
        fullExits: harvest.fullExits[n]!,
        ...one.after,
      })),
      walks: counted.walks,
      resets: harvest.resets,
      problems,
      ok: problems.length === 0,
    };
  }

  /** Stops counting. */
  [Symbol.dispose](): void {
    this.#counts[Symbol.dispose]();
  }
}
