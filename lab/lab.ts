import type { Kernel } from "../ffi/kernel.ts";
import type { DirtyRing } from "../kvm/dirty_ring.ts";
import { Harvester } from "../ring/harvester.ts";
import { type GuestVcpu, GuestVm } from "./guest_vm.ts";
import type { Plan } from "./plan.ts";
import { enableRing } from "./ring_limits.ts";

/** A vCPU's ring. */
export interface LabRing {
  /** The ring. */
  readonly ring: DirtyRing;
  /** Harvests the ring. */
  readonly harvester: Harvester;
}

/** A vCPU with its ring's harvester and its share of the stores. */
export type LabVcpu = GuestVcpu & LabRing;

/** A VM with a guest, logged memory, vCPUs and their dirty rings, ready to run rounds. */
export class Lab extends GuestVm<LabRing> {
  /**
   * Makes the VM: the ring is enabled, then memory slots are set, then vCPUs are made.
   *
   * @param kernel The kernel that answers.
   * @param plan What to make.
   * @throws {HostError} Where the host has no usable KVM, or no dirty ring.
   * @throws {ValueError} Above a limit that the kernel reports.
   * @throws {KernelError} Where the kernel refuses a call.
   */
  constructor(kernel: Kernel, plan: Plan) {
    super(kernel, plan, {
      prepare: (system, vm) => enableRing(system, vm, plan.ringBytes),
      equip(vcpu, resources) {
        const ring = resources.use(vcpu.mapDirtyRing(plan.ringBytes));
        return { ring, harvester: new Harvester(ring.words) };
      },
    });
  }
}
