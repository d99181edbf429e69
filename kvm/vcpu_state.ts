import { ERRNO } from "../ffi/errno.ts";
import { checked, KernelError } from "../ffi/kernel_error.ts";
import { KVM_GET_REGS, KVM_GET_SREGS, KVM_SET_REGS, KVM_SET_SREGS } from "../ffi/kvm_ioctls.ts";
import { kvm_regs, kvm_run, kvm_sregs } from "../ffi/kvm_structs.ts";
import type { Vcpu } from "./vcpu.ts";

/** Bytes of a vCPU's saved registers: a `struct kvm_regs`, then a `struct kvm_sregs`. */
export const VCPU_STATE_BYTES: number = kvm_regs.size + kvm_sregs.size;

/**
 * Copies the registers of a vCPU that stands still: general, segment, table and control registers. The guests of
 * this program use no others.
 *
 * @param vcpu The vCPU; nothing that it began is pending, see {@linkcode completeExit}.
 * @param into {@linkcode VCPU_STATE_BYTES} bytes that receive them.
 * @throws {KernelError} Where the kernel fails a call.
 */
export function saveVcpuState(vcpu: Vcpu, into: Uint8Array<ArrayBuffer>): void {
  const regs = into.subarray(0, kvm_regs.size);
  const sregs = into.subarray(kvm_regs.size);
  checked(vcpu.ioctl(KVM_GET_REGS, regs), () => `KVM_GET_REGS on vCPU ${vcpu.id}`);
  checked(vcpu.ioctl(KVM_GET_SREGS, sregs), () => `KVM_GET_SREGS on vCPU ${vcpu.id}`);
}

/**
 * Gives a vCPU saved registers. The control registers go first: what the general ones mean depends on them.
 *
 * @param vcpu The vCPU.
 * @param from What {@linkcode saveVcpuState} saved.
 * @throws {KernelError} Where the kernel refuses: EINVAL for an impossible combination.
 */
export function restoreVcpuState(vcpu: Vcpu, from: Uint8Array<ArrayBuffer>): void {
  const regs = from.subarray(0, kvm_regs.size);
  const sregs = from.subarray(kvm_regs.size);
  checked(vcpu.ioctl(KVM_SET_SREGS, sregs), () => `KVM_SET_SREGS on vCPU ${vcpu.id}`);
  checked(vcpu.ioctl(KVM_SET_REGS, regs), () => `KVM_SET_REGS on vCPU ${vcpu.id}`);
}

/**
 * Completes what a vCPU's last exit left pending: after `KVM_EXIT_IO` and its kind the registers are right only
 * once `KVM_RUN` was entered again. With `immediate_exit` that completes the instruction and runs no other
 * (api.rst, section 5, "The kvm_run structure").
 *
 * @param vcpu The vCPU; it stands still.
 * @throws {KernelError} Where `KVM_RUN` answers anything but EINTR.
 */
export function completeExit(vcpu: Vcpu): void {
  const { address, bytes } = vcpu.runMapping;
  const page = vcpu.kernel.view(address, bytes);
  page[kvm_run.at.immediate_exit] = 1;
  const answer = vcpu.run();
  page[kvm_run.at.immediate_exit] = 0;
  if (answer === -ERRNO.EINTR) return;
  throw new KernelError(`KVM_RUN on vCPU ${vcpu.id}, with immediate_exit`, answer);
}
