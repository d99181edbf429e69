import type { InlineDriver, VcpuExit } from "./inline_driver.ts";
import type { RingVm } from "./guest_vm.ts";

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
 * @param lab The lab.
 * @param driver Runs its vCPUs.
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
