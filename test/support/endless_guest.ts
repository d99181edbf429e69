import type { Kernel } from "../../ffi/kernel.ts";
import { KVM_CREATE_VCPU, KVM_SET_REGS, KVM_SET_USER_MEMORY_REGION } from "../../ffi/kvm_ioctls.ts";
import { kvm_regs, kvm_userspace_memory_region } from "../../ffi/kvm_structs.ts";
import { long64 } from "../../guest/long64.ts";

/** The address of the first instruction, the same for both guests. */
const CODE_AT = long64.codeAt;
/** A jump to itself, in any mode. */
const FOR_EVER = [0xeb, 0xfe];

/**
 * A kernel whose guests neither exit nor store: it puts a jump to itself wherever a vCPU is to
 * start.
 *
 * @param isEarly Whether the jump is also put at the guest's first instruction when a vCPU is made.
 * A vCPU's thread sets registers without this wrapper and starts there. `false` for a command that
 * compares the code.
 */
export function endlessGuest(kernel: Kernel, isEarly = true): Kernel {
  let slot0: Uint8Array<ArrayBuffer> | null = null;
  const noteSlot = (view: DataView) => {
    const { at } = kvm_userspace_memory_region;
    if (view.getBigUint64(at.guest_phys_addr, true) !== 0n) return;
    const address = Number(view.getBigUint64(at.userspace_addr, true));
    slot0 = kernel.view(address, Number(view.getBigUint64(at.memory_size, true)));
  };
  return {
    ...kernel,
    ioctl(fd, request, argument) {
      if (typeof argument === "object") {
        const view = new DataView(argument.buffer, argument.byteOffset);
        if (request === KVM_SET_USER_MEMORY_REGION) noteSlot(view);
        if (request === KVM_SET_REGS) {
          slot0?.set(FOR_EVER, Number(view.getBigUint64(kvm_regs.at.rip, true)));
        }
      }
      if (request === KVM_CREATE_VCPU && isEarly) slot0?.set(FOR_EVER, CODE_AT);
      return kernel.ioctl(fd, request, argument);
    },
  };
}
