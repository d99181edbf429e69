import { completeExit, saveVcpuState, VCPU_STATE_BYTES } from "../kvm/vcpu_state.ts";
import type { GuestVm } from "../lab/guest_vm.ts";
import type { LiveVcpus, VcpuPlace } from "../live/live_vcpus.ts";

/** The registers of all vCPUs, and where each is in its stores, as they were in one pause. */
export class VcpuSnapshots {
  readonly #completed = new Set<number>();
  /** The registers, by vCPU: {@linkcode VCPU_STATE_BYTES} each. */
  readonly registers: Uint8Array<ArrayBuffer>;
  /** Where they are in their stores. */
  readonly places: VcpuPlace[] = [];

  /**
   * Makes room.
   *
   * @param vcpus How many vCPUs there are.
   */
  constructor(vcpus: number) {
    this.registers = new Uint8Array(vcpus * VCPU_STATE_BYTES);
  }

  /**
   * Saves all vCPUs, which stand still.
   *
   * @param vm The machine.
   * @param vcpus What runs its vCPUs.
   * @throws {KernelError} Where the kernel fails a call.
   */
  take(vm: GuestVm, vcpus: LiveVcpus): void {
    vm.vcpus.forEach(({ vcpu }, id) => {
      // One that is done stopped with KVM_EXIT_IO and is not run again. For the others the KVM_RUN that was
      // interrupted, or found the ring full, has completed what came before it.
      if (vcpus.stopOf(id)?.kind === "done" && !this.#completed.has(id)) {
        completeExit(vcpu);
        this.#completed.add(id);
      }
      const at = id * VCPU_STATE_BYTES;
      saveVcpuState(vcpu, this.registers.subarray(at, at + VCPU_STATE_BYTES));
      this.places[id] = vcpus.placeOf(id);
    });
  }
}
