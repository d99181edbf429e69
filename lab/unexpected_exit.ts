import { exitName } from "../ffi/kvm_exits.ts";
import type { Vcpu } from "../kvm/vcpu.ts";
import { GuestError } from "./guest_error.ts";

/**
 * The error for a vCPU that stopped in a way which its guest's program never brings about: an emulation failure,
 * a triple fault.
 *
 * @param vcpu The vCPU, standing still after `KVM_RUN` answered 0.
 * @returns The error, which names exit, detail and place.
 */
export function unexpectedExit(vcpu: Vcpu): GuestError {
  return new GuestError(
    `vCPU ${vcpu.id} stopped with ${exitName(vcpu.exitReason)} (detail ${vcpu.exitDetail}) at ` +
      `rip 0x${vcpu.register("rip").toString(16)}; expected the end of its program or ` +
      "KVM_EXIT_DIRTY_RING_FULL: look into dmesg, and try dirtyring --trace",
  );
}
