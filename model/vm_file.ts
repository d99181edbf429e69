import { ERRNO } from "../ffi/errno.ts";
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
import { kvm_clear_dirty_log_protect, kvm_get_dirty_log } from "./dirty_log.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import type { Argument, OpenFile } from "./open_file.ts";
import { statsFile } from "./stats_file.ts";
import { checkExtension, MAX_VCPU_IDS, MAX_VCPUS } from "./system_file.ts";
import { structBytes } from "./struct_bytes.ts";
import { ModelVcpu } from "./vcpu.ts";
import type { ModelVm } from "./vm.ts";

/** A task-state segment takes three pages, and has to lie below 4 GiB. */
const LAST_TSS_ADDRESS = 2 ** 32 - 3 * PAGE_SIZE;
const MANUAL_PROTECT_ENABLE = 1n;
const MANUAL_CAPS = 3n;

/**
 * A VM's file (`kvm_vm_ioctl`).
 *
 * @param vm The VM.
 * @param open Makes a file descriptor for a file.
 * @param openVcpu Makes a file descriptor for a vCPU.
 * @returns The file.
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

// Both structs for a slot begin with the same fields. What a guest_memfd holds the model's guests never see.
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
