import type { LiveVcpus, VcpuPlace } from "../../drive/live_vcpus.ts";
import { completeExit, saveVcpuState, VCPU_STATE_BYTES } from "../../kvm/vcpu.ts";
import type { GuestVm } from "../../machine/guest_vm.ts";

/** The registers of all vCPUs, and how far each is in its stores, taken in the same pause. */
export class VcpuSnapshots {
  readonly #completed = new Set<number>();
  /** The registers, by vCPU: {@linkcode VCPU_STATE_BYTES} each. */
  readonly registers: Uint8Array<ArrayBuffer>;
  /** How far each vCPU is in its stores. */
  readonly places: VcpuPlace[] = [];

  /** Allocates the space. */
  constructor(vcpus: number) {
    this.registers = new Uint8Array(vcpus * VCPU_STATE_BYTES);
  }

  /**
   * Saves all vCPUs, which must have stopped.
   *
   * @throws {KernelError} If the kernel fails a call.
   */
  take(vm: GuestVm, vcpus: LiveVcpus): void {
    vm.vcpus.forEach(({ vcpu }, id) => {
      // A vCPU that is done stopped with KVM_EXIT_IO and is not run again, so its exit must be
      // completed here. For the others, the KVM_RUN that was interrupted or found the ring full has
      // completed what came before it.
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
