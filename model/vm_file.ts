// The ioctls of a VM's file in the model, with its binary statistics and its dirty bitmaps.
import { ERRNO } from "../ffi/errors.ts";
import * as caps from "../ffi/kvm_constants.ts";
import * as ioctls from "../ffi/kvm_ioctls.ts";
import {
  kvm_clear_dirty_log,
  kvm_create_guest_memfd,
  kvm_dirty_log,
  kvm_enable_cap,
  kvm_userspace_memory_region,
  kvm_userspace_memory_region2,
} from "../ffi/kvm_structs.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import {
  type Argument,
  bytesFile,
  checkExtension,
  MAX_VCPU_IDS,
  MAX_VCPUS,
  type OpenFile,
  structBytes,
} from "./open_file.ts";
import { type MemorySlot, SLOTS } from "./slots.ts";
import { ModelVcpu } from "./vcpu.ts";
import type { ModelVm } from "./vm.ts";

/** KVM's task-state segment takes three pages, which have to lie below 4 GiB. */
const LAST_TSS_ADDRESS = 2 ** 32 - 3 * PAGE_SIZE;
const MANUAL_PROTECT_ENABLE = 1n;
const MANUAL_CAPS = 3n;

/**
 * A VM's file (`kvm_vm_ioctl`).
 *
 * @param open Answers a new file descriptor for a file.
 * @param openVcpu Answers a new file descriptor for a vCPU.
 */
export function vmFile(
  vm: ModelVm,
  open: (file: OpenFile) => number,
  openVcpu: (vcpu: ModelVcpu) => number,
): OpenFile {
  const { state } = vm;
  const withStruct = (
    argument: Argument,
    size: number,
    body: (bytes: Uint8Array<ArrayBuffer>) => number,
  ): number => {
    const bytes = structBytes(state.space, argument, size);
    return bytes === null ? -ERRNO.EFAULT : body(bytes);
  };
  return {
    ioctl(request: number, argument: Argument): number {
      if (state.isElsewhere) return -ERRNO.EIO; // the VM belongs to the process that made it
      switch (request) {
        case ioctls.KVM_CHECK_EXTENSION:
          if (Number(argument) === caps.KVM_CAP_GUEST_MEMFD) return vm.isProtected ? 1 : 0;
          return checkExtension(state.rules, Number(argument));
        case ioctls.KVM_CREATE_VCPU:
          return createVcpu(vm, Number(argument), openVcpu);
        case ioctls.KVM_ENABLE_CAP:
          return withStruct(argument, kvm_enable_cap.size, (bytes) => enableCap(vm, bytes));
        case ioctls.KVM_SET_USER_MEMORY_REGION:
          return withStruct(
            argument,
            kvm_userspace_memory_region.size,
            (bytes) => setRegion(vm, bytes),
          );
        case ioctls.KVM_SET_USER_MEMORY_REGION2:
          if (!state.rules.hasGuestMemfd) return -ERRNO.ENOTTY;
          return withStruct(
            argument,
            kvm_userspace_memory_region2.size,
            (bytes) => setRegion(vm, bytes),
          );
        case ioctls.KVM_CREATE_GUEST_MEMFD:
          if (!state.rules.hasGuestMemfd) return -ERRNO.ENOTTY;
          if (!vm.isProtected) return -ERRNO.EINVAL;
          return withStruct(argument, kvm_create_guest_memfd.size, () => open({}));
        case ioctls.KVM_GET_DIRTY_LOG:
          return withStruct(argument, kvm_dirty_log.size, (bytes) => kvm_get_dirty_log(vm, bytes));
        case ioctls.KVM_CLEAR_DIRTY_LOG:
          return withStruct(
            argument,
            kvm_clear_dirty_log.size,
            (bytes) => kvm_clear_dirty_log_protect(vm, bytes),
          );
        case ioctls.KVM_SET_TSS_ADDR: // the model's processor runs real mode by itself
          return Number(argument) > LAST_TSS_ADDRESS ? -ERRNO.EINVAL : 0;
        case ioctls.KVM_SET_IDENTITY_MAP_ADDR:
          return withStruct(argument, 8, () => vm.vcpus.length > 0 ? -ERRNO.EINVAL : 0);
        case ioctls.KVM_RESET_DIRTY_RINGS:
          return vm.kvm_vm_ioctl_reset_dirty_pages();
        case ioctls.KVM_GET_STATS_FD:
          return state.rules.hasStatsFd ? open(statsFile(vm)) : -ERRNO.ENOTTY;
        default:
          return -ERRNO.ENOTTY;
      }
    },
  };
}

// Both structs for a slot begin with the same fields. The model ignores the rest: its guests never
// use the memory of a guest_memfd.
function setRegion(vm: ModelVm, bytes: Uint8Array<ArrayBuffer>): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const { at } = kvm_userspace_memory_region;
  return vm.kvm_set_memory_region({
    slot: view.getUint32(at.slot, true),
    flags: view.getUint32(at.flags, true),
    guest_phys_addr: view.getBigUint64(at.guest_phys_addr, true),
    memory_size: view.getBigUint64(at.memory_size, true),
    userspace_addr: view.getBigUint64(at.userspace_addr, true),
  });
}

// `kvm_vm_ioctl_create_vcpu`
function createVcpu(vm: ModelVm, id: number, openVcpu: (vcpu: ModelVcpu) => number): number {
  if (id >= MAX_VCPU_IDS || vm.vcpus.length >= MAX_VCPUS) return -ERRNO.EINVAL;
  const { state } = vm;
  if (state.failsAllocation && vm.dirty_ring_size > 0) {
    state.failsAllocation = false;
    return -ERRNO.ENOMEM;
  }
  if (vm.vcpus.some((vcpu) => vcpu.id === id)) return -ERRNO.EEXIST;
  const vcpu = new ModelVcpu(vm, id);
  const fd = openVcpu(vcpu);
  vcpu.fd = fd;
  vm.vcpus.push(vcpu);
  return fd;
}

// `kvm_vm_ioctl_enable_cap_generic`
function enableCap(vm: ModelVm, bytes: Uint8Array<ArrayBuffer>): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const cap = view.getUint32(kvm_enable_cap.at.cap, true);
  const flags = view.getUint32(kvm_enable_cap.at.flags, true);
  const argument = view.getBigUint64(kvm_enable_cap.at.args, true);
  switch (cap) {
    case caps.KVM_CAP_DIRTY_LOG_RING:
    case caps.KVM_CAP_DIRTY_LOG_RING_ACQ_REL:
      if (checkExtension(vm.state.rules, cap) === 0) return -ERRNO.EINVAL;
      return vm.kvm_vm_ioctl_enable_dirty_log_ring(argument);
    case caps.KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2: {
      const isEnabled = (argument & MANUAL_PROTECT_ENABLE) !== 0n;
      const allowed = isEnabled ? MANUAL_CAPS : MANUAL_PROTECT_ENABLE;
      if (flags !== 0 || (argument & ~allowed) !== 0n) return -ERRNO.EINVAL;
      vm.manual_dirty_log_protect = Number(argument);
      return 0;
    }
    default:
      return -ERRNO.EINVAL;
  }
}

// Layout of a statistics file: `struct kvm_stats_header`, an id, one `struct kvm_stats_desc` with
// its name for each statistic, and the values (api.rst, "KVM_GET_STATS_FD").
const HEADER_BYTES = 24;
const NAME_BYTES = 48;
const DESCRIPTOR_BYTES = 16 + NAME_BYTES;

/** A VM's binary statistics, a snapshot taken when the file is opened. */
function statsFile(vm: ModelVm): OpenFile {
  const values: readonly (readonly [string, number])[] = [
    ["remote_tlb_flush", vm.remote_tlb_flush_requests],
    ["remote_tlb_flush_requests", vm.remote_tlb_flush_requests],
  ];
  const descriptorsAt = HEADER_BYTES + NAME_BYTES;
  const dataAt = descriptorsAt + values.length * DESCRIPTOR_BYTES;
  const bytes = new Uint8Array(dataAt + values.length * 8);
  const view = new DataView(bytes.buffer);
  const header = [0, NAME_BYTES, values.length, HEADER_BYTES, descriptorsAt, dataAt];
  header.forEach((word, n) => view.setUint32(n * 4, word, true));
  const encoder = new TextEncoder();
  encoder.encodeInto("kvm-model", bytes.subarray(HEADER_BYTES));
  values.forEach(([name, value], n) => {
    const at = descriptorsAt + n * DESCRIPTOR_BYTES;
    view.setUint16(at + 6, 1, true); // size: one value
    view.setUint32(at + 8, n * 8, true); // offset in the data
    encoder.encodeInto(name, bytes.subarray(at + 16));
    view.setBigUint64(dataAt + n * 8, BigInt(value), true);
  });
  return bytesFile(bytes);
}

const BITS = 64;

/**
 * `KVM_GET_DIRTY_LOG`: copies a slot's bitmap. Without manual protection it also clears the bitmap
 * and protects the pages (`kvm_get_dirty_log_protect`, virt/kvm/kvm_main.c).
 *
 * @param argument A `struct kvm_dirty_log`.
 * @returns 0, or minus an errno: ENXIO with the ring on, ENOENT if the slot is not logged.
 */
function kvm_get_dirty_log(vm: ModelVm, argument: Uint8Array<ArrayBuffer>): number {
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
 * @param argument A `struct kvm_clear_dirty_log`.
 * @returns 0, or minus an errno: ENXIO with the ring on, ENOENT if the slot is not logged, EINVAL
 * for a range that does not consist of whole words of the bitmap.
 */
function kvm_clear_dirty_log_protect(
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
