// Open files of the model: what they share, and `/dev/kvm` itself. VMs and vCPUs have files of
// their own.
import { ERRNO } from "../ffi/errors.ts";
import * as caps from "../ffi/kvm_constants.ts";
import * as ioctls from "../ffi/kvm_ioctls.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import type { Rules } from "./dirty_ring.ts";
import { type AddressSpace, type Backing, SLOTS } from "./slots.ts";
import { RUN_PAGES } from "./vcpu.ts";

/** An ioctl's argument: a number, which may be an address, or the bytes of a struct. */
export type Argument = number | bigint | Uint8Array<ArrayBuffer>;

/** What a file descriptor refers to. A call that is missing here is not supported by the file. */
export interface OpenFile {
  /**
   * ioctl(2).
   *
   * @returns A result of zero or more, or minus an errno.
   */
  ioctl?(request: number, argument: Argument): number;
  /**
   * read(2).
   *
   * @returns Bytes read, or minus an errno.
   */
  read?(into: Uint8Array<ArrayBuffer>): number;
  /**
   * pread(2).
   *
   * @param offset Bytes from the file's beginning.
   * @returns Bytes read, or minus an errno.
   */
  pread?(into: Uint8Array<ArrayBuffer>, offset: number): number;
  /**
   * mmap(2): the memory at an offset of the file.
   *
   * @returns The memory to map, or minus an errno.
   */
  mmap?(request: MapRequest): Backing | number;
}

/** The part of a file to map, and how. */
export interface MapRequest {
  /** The first page of the file. */
  readonly page: number;
  /** Number of pages. */
  readonly pages: number;
  /** `PROT_*` bits. */
  readonly protection: number;
  /** `MAP_*` bits. */
  readonly flags: number;
}

/** A file of fixed bytes that is read sequentially. */
export function bytesFile(content: Uint8Array<ArrayBuffer>): OpenFile {
  let at = 0;
  return {
    read(into) {
      const part = content.subarray(at, at + into.length);
      into.set(part);
      at += part.length;
      return part.length;
    },
    ioctl: () => -ERRNO.ENOTTY,
  };
}

const PAGEMAP_ENTRY_BYTES = 8;

/**
 * `/proc/self/pagemap` (fs/proc/task_mmu.c). Of an entry there is one bit: whether the kernel has
 * touched the page. So a page that a guest never touched need not be looked at, and a large guest
 * costs no more than what it stores to.
 *
 * @param space The program's address space.
 */
export function pagemapFile(space: AddressSpace): OpenFile {
  return {
    pread(into, offset) {
      // `pagemap_read`
      if (offset % PAGEMAP_ENTRY_BYTES !== 0 || into.length % PAGEMAP_ENTRY_BYTES !== 0) {
        return -ERRNO.EINVAL;
      }
      const entries = new Uint32Array(into.length / 4);
      space.pagemap(entries, offset / PAGEMAP_ENTRY_BYTES);
      into.set(new Uint8Array(entries.buffer));
      return into.length;
    },
    ioctl: () => -ERRNO.ENOTTY,
  };
}

/**
 * The struct that is an ioctl's argument: its bytes, passed directly or by address.
 *
 * @param size Bytes of the struct.
 * @returns The bytes, or `null` where the kernel would answer EFAULT.
 * @throws {RangeError} If fewer bytes are passed.
 */
export function structBytes(
  space: AddressSpace,
  argument: Argument,
  size: number,
): Uint8Array<ArrayBuffer> | null {
  if (typeof argument !== "object") return space.bytes(Number(argument), size);
  if (argument.length < size) {
    throw new RangeError(`Cannot pass ${argument.length} bytes where ${size} are read`);
  }
  return argument;
}

const API_VERSION = 12;
/** `KVM_MAX_VCPUS` of x86. */
export const MAX_VCPUS = 1024;
/** `KVM_MAX_VCPU_IDS` of x86. */
export const MAX_VCPU_IDS = 4096;

/**
 * `kvm_vm_ioctl_check_extension`: a capability's value.
 *
 * @param capability A `KVM_CAP_*` number.
 * @returns The value; 0 if there is no such capability.
 */
export function checkExtension(rules: Rules, capability: number): number {
  switch (capability) {
    case caps.KVM_CAP_SET_TSS_ADDR:
      return 1;
    case caps.KVM_CAP_NR_VCPUS:
      return 2;
    case caps.KVM_CAP_MAX_VCPUS:
      return MAX_VCPUS;
    case caps.KVM_CAP_MAX_VCPU_ID:
      return MAX_VCPU_IDS;
    case caps.KVM_CAP_NR_MEMSLOTS:
      return SLOTS;
    case caps.KVM_CAP_IMMEDIATE_EXIT:
      return 1;
    case caps.KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
      return 3;
    case caps.KVM_CAP_DIRTY_LOG_RING:
      return rules.largestRing;
    case caps.KVM_CAP_DIRTY_LOG_RING_ACQ_REL:
      return rules.hasAcquireRelease ? rules.largestRing : 0;
    case caps.KVM_CAP_BINARY_STATS_FD:
      return rules.hasStatsFd ? 1 : 0;
    case caps.KVM_CAP_READONLY_MEM:
      return 1;
    case caps.KVM_CAP_VM_TYPES:
      return rules.hasGuestMemfd ? 1 | 1 << caps.KVM_X86_SW_PROTECTED_VM : 0;
    case caps.KVM_CAP_PRE_FAULT_MEMORY:
      return rules.hasPreFault ? 1 : 0;
    default:
      return 0;
  }
}

/**
 * `/dev/kvm` (`kvm_dev_ioctl`).
 *
 * @param createVm Makes a VM of the default or the protected type, and answers its file descriptor.
 */
export function systemFile(rules: Rules, createVm: (isProtected: boolean) => number): OpenFile {
  return {
    ioctl(request: number, argument: Argument): number {
      switch (request) {
        case ioctls.KVM_GET_API_VERSION:
          return isZero(argument) ? API_VERSION : -ERRNO.EINVAL;
        case ioctls.KVM_CREATE_VM:
          if (isZero(argument)) return createVm(false);
          return rules.hasGuestMemfd && Number(argument) === caps.KVM_X86_SW_PROTECTED_VM
            ? createVm(true)
            : -ERRNO.EINVAL;
        case ioctls.KVM_CHECK_EXTENSION:
          return checkExtension(rules, Number(argument));
        case ioctls.KVM_GET_VCPU_MMAP_SIZE:
          return isZero(argument) ? RUN_PAGES * PAGE_SIZE : -ERRNO.EINVAL;
        default:
          return -ERRNO.EINVAL;
      }
    },
  };
}

function isZero(argument: Argument): boolean {
  return typeof argument !== "object" && Number(argument) === 0;
}
