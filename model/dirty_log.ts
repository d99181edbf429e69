import { ERRNO } from "../ffi/errno.ts";
import { kvm_clear_dirty_log, kvm_dirty_log } from "../ffi/kvm_structs.ts";
import { type MemorySlot, SLOTS } from "./slots.ts";
import type { ModelVm } from "./vm.ts";

const BITS = 64;

/**
 * `KVM_GET_DIRTY_LOG`: copies a slot's bitmap and, unless that is done by hand, clears it and protects its
 * pages (`kvm_get_dirty_log_protect`, virt/kvm/kvm_main.c).
 *
 * @param vm The VM.
 * @param argument A `struct kvm_dirty_log`.
 * @returns 0, or minus an errno: ENXIO with the ring on, ENOENT where the slot logs nothing.
 */
export function kvm_get_dirty_log(vm: ModelVm, argument: Uint8Array<ArrayBuffer>): number {
  if (vm.dirty_ring_size !== 0) return -ERRNO.ENXIO;
  const view = new DataView(argument.buffer, argument.byteOffset);
  const slot = loggedSlot(vm, view.getUint32(kvm_dirty_log.at.slot, true));
  if (typeof slot === "number") return slot;
  const address = Number(view.getBigUint64(kvm_dirty_log.at.dirty_bitmap, true));
  const into = vm.state.space.bytes(address, Math.ceil(slot.npages / BITS) * BITS / 8);
  if (into === null) return -ERRNO.EFAULT;
  const bitmap = slot.bitmap!;
  into.fill(0);
  for (let page = 0; page < slot.npages; page++) {
    if (bitmap[page] === 1) into[page >>> 3]! |= 1 << (page & 7);
  }
  if (vm.manual_dirty_log_protect !== 0) return 0;
  if (bitmap.includes(1)) vm.remote_tlb_flush_requests++;
  for (let page = 0; page < slot.npages; page++) {
    if (bitmap[page] === 1) vm.kvm_mmu_slot_protect(slot, page, page + 1);
  }
  bitmap.fill(0);
  return 0;
}

/**
 * `KVM_CLEAR_DIRTY_LOG`: clears pages of a slot's bitmap and protects them
 * (`kvm_clear_dirty_log_protect`, virt/kvm/kvm_main.c).
 *
 * @param vm The VM.
 * @param argument A `struct kvm_clear_dirty_log`.
 * @returns 0, or minus an errno: ENXIO with the ring on, ENOENT where the slot logs nothing, EINVAL for a
 * range that is not made of whole words of the bitmap.
 */
export function kvm_clear_dirty_log_protect(
  vm: ModelVm,
  argument: Uint8Array<ArrayBuffer>,
): number {
  if (vm.dirty_ring_size !== 0) return -ERRNO.ENXIO;
  const { at } = kvm_clear_dirty_log;
  const view = new DataView(argument.buffer, argument.byteOffset);
  const slot = loggedSlot(vm, view.getUint32(at.slot, true));
  if (typeof slot === "number") return slot;
  const first = Number(view.getBigUint64(at.first_page, true));
  const count = view.getUint32(at.num_pages, true);
  const reachesEnd = count === slot.npages - first;
  if (first % BITS !== 0 || first > slot.npages || count > slot.npages - first) {
    return -ERRNO.EINVAL;
  }
  if (count % BITS !== 0 && !reachesEnd) return -ERRNO.EINVAL;
  const address = Number(view.getBigUint64(at.dirty_bitmap, true));
  const from = vm.state.space.bytes(address, Math.ceil(count / BITS) * BITS / 8);
  if (from === null) return -ERRNO.EFAULT;
  let isFlushed = false;
  for (let n = 0; n < count; n++) {
    const page = first + n;
    if (((from[n >>> 3]! >>> (n & 7)) & 1) === 0 || slot.bitmap![page] === 0) continue;
    slot.bitmap![page] = 0;
    vm.kvm_mmu_slot_protect(slot, page, page + 1);
    isFlushed = true;
  }
  if (isFlushed) vm.remote_tlb_flush_requests++;
  return 0;
}

// A slot with a bitmap, or minus an errno.
function loggedSlot(vm: ModelVm, id: number): MemorySlot | number {
  if (id >>> 16 !== 0 || (id & 0xffff) >= SLOTS) return -ERRNO.EINVAL;
  const slot = vm.slots.get(id);
  return slot === undefined || slot.bitmap === null ? -ERRNO.ENOENT : slot;
}
