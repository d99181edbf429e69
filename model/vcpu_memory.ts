// What vCPU ioctls do to guest memory: they count as the vCPU's own doing, and so feed its ring.
import { ERRNO } from "../ffi/errno.ts";
import { kvm_msr_entry, kvm_msrs, kvm_pre_fault_memory } from "../ffi/kvm_structs.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import type { Argument } from "./open_file.ts";
import { PageState } from "./slots.ts";
import { structBytes } from "./struct_bytes.ts";
import type { ModelVcpu } from "./vcpu.ts";
import type { ModelVm } from "./vm.ts";

/** `MSR_KVM_WALL_CLOCK_NEW`: whoever writes it has KVM write the time to the address that it names. */
const WALL_CLOCK = 0x4b56_4d00;

/**
 * `KVM_PRE_FAULT_MEMORY`: maps the pages of a range, one after another. It looks at no full ring.
 *
 * @param vm The VM.
 * @param vcpu The vCPU.
 * @param bytes A `struct kvm_pre_fault_memory`; what is left of the range is written back.
 * @returns 0 where a page at least was mapped, or minus an errno.
 */
export function kvm_vcpu_pre_fault_memory(
  vm: ModelVm,
  vcpu: ModelVcpu,
  bytes: Uint8Array<ArrayBuffer>,
): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const { at } = kvm_pre_fault_memory;
  const first = view.getBigUint64(at.gpa, true);
  const size = view.getBigUint64(at.size, true);
  const page = BigInt(PAGE_SIZE);
  if (view.getBigUint64(at.flags, true) !== 0n) return -ERRNO.EINVAL;
  if (first % page !== 0n || size % page !== 0n) return -ERRNO.EINVAL;
  if (size === 0n || first + size >= 2n ** 64n) return -ERRNO.EINVAL;
  let done = 0n;
  for (; done < size; done += page) {
    const gfn = Number((first + done) / page);
    const slot = vm.slots.find(gfn);
    if (slot === undefined) break;
    const offset = gfn - slot.base_gfn;
    if (slot.pages[offset] === PageState.NONE) vm.mapPage(slot, offset, vcpu);
  }
  view.setBigUint64(at.gpa, first + done, true);
  view.setBigUint64(at.size, size - done, true);
  return done > 0n ? 0 : -ERRNO.ENOENT;
}

/**
 * `KVM_SET_MSRS`, of which the model knows the register that has KVM write the wall clock.
 *
 * @param vm The VM.
 * @param vcpu The vCPU.
 * @param argument A `struct kvm_msrs` with its entries.
 * @returns Registers written, or -EFAULT.
 */
export function setMsrs(vm: ModelVm, vcpu: ModelVcpu, argument: Argument): number {
  const head = structBytes(vm.state.space, argument, kvm_msrs.size);
  if (head === null) return -ERRNO.EFAULT;
  const count = new DataView(head.buffer, head.byteOffset).getUint32(kvm_msrs.at.nmsrs, true);
  const size = kvm_msrs.size + count * kvm_msr_entry.size;
  const bytes = structBytes(vm.state.space, argument, size);
  if (bytes === null) return -ERRNO.EFAULT;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let n = 0; n < count; n++) {
    const at = kvm_msrs.size + n * kvm_msr_entry.size;
    if (view.getUint32(at + kvm_msr_entry.at.index, true) !== WALL_CLOCK) return n;
    vm.kvm_write_wall_clock(Number(view.getBigUint64(at + kvm_msr_entry.at.data, true)), vcpu);
  }
  return count;
}
