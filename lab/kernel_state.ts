import { HostError } from "../ffi/host_error.ts";
import type { Insight } from "../ffi/insight.ts";
import type { Kernel } from "../ffi/kernel.ts";
import type { LabVcpu } from "./lab.ts";

/** A ring's private state, which no mapping shows. */
export interface KernelState {
  /** `dirty_index`: where the next push goes, a free-running u32. */
  readonly dirtyIndex: number;
  /** `reset_index`: where the next reset begins, a free-running u32. */
  readonly resetIndex: number;
  /** Size in entries. */
  readonly size: number;
  /** Entries in use from which a guest entry reports a full ring. */
  readonly softLimit: number;
}

/**
 * What a kernel tells about the private state of its rings.
 *
 * @param kernel The kernel that answers.
 * @returns What can be asked.
 * @throws {HostError} Where it is a real kernel, which tells nothing.
 */
export function kernelInsight(kernel: Kernel): Insight {
  if (kernel.insight !== null) return kernel.insight;
  throw new HostError(
    "--kernel-state: a real kernel keeps dirty_index and reset_index to itself",
    "try --backend model",
  );
}

/**
 * Reads a ring's private state.
 *
 * @param vcpu The vCPU whose ring it is.
 * @returns The state.
 * @throws {HostError} Where a real kernel answers.
 */
export function kernelState({ vcpu }: LabVcpu): KernelState {
  const state = kernelInsight(vcpu.kernel).ring(vcpu.fd);
  if (state === null) throw new TypeError(`vCPU ${vcpu.id} has no ring`);
  const { dirtyIndex, resetIndex, size, softLimit } = state;
  return { dirtyIndex, resetIndex, size, softLimit };
}
