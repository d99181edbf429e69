import { kvm_regs } from "../ffi/kvm_structs.ts";

/** The bits of RFLAGS that are the privilege level for I/O instructions. */
const IOPL = 0x3000n;

/**
 * Gives saved registers the IOPL of the guest's program, which never changes it. A KVM may answer `KVM_GET_REGS`
 * without it: kvm_pvm does once a guest has run, since it judges I/O instructions by other means. Another KVM would
 * let the guest fault at its OUT.
 *
 * @param registers A `struct kvm_regs`, changed in place.
 * @param rflags The RFLAGS that the program begins with.
 * @returns Whether it was another one.
 */
export function giveIopl(registers: Uint8Array<ArrayBuffer>, rflags: bigint): boolean {
  const view = new DataView(registers.buffer, registers.byteOffset);
  const saved = view.getBigUint64(kvm_regs.at.rflags, true);
  const given = (saved & ~IOPL) | (rflags & IOPL);
  view.setBigUint64(kvm_regs.at.rflags, given, true);
  return given !== saved;
}
