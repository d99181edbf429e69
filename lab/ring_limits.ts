import { HostError } from "../ffi/host_error.ts";
import { KernelError } from "../ffi/kernel_error.ts";
import { KVM_CAP_DIRTY_LOG_RING } from "../ffi/kvm_constants.ts";
import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import type { System } from "../kvm/system.ts";
import type { Vm } from "../kvm/vm.ts";

/** Entries that a ring keeps free for pushes after its soft limit (KVM_DIRTY_RING_RSVD_ENTRIES). */
const RESERVED = 64;
/** As many more where the processor logs page modifications in a buffer of its own. */
const RESERVED_FOR_PML = 512;

/** A ring's limits. */
export interface RingLimits {
  /** Size in entries. */
  readonly entries: number;
  /** Size in bytes. */
  readonly bytes: number;
  /** Entries kept free; `null` where the smallest ring is none of the documented ones. */
  readonly reserved: number | null;
  /** Entries from which a guest entry reports a full ring: entries − reserved. */
  readonly softLimit: number | null;
  /** The kernel tells neither: both are inferred, from the smallest ring that it accepts. */
  readonly inferred: true;
}

/**
 * The largest ring.
 *
 * @param system `/dev/kvm`.
 * @returns Bytes.
 * @throws {HostError} Where the kernel has no dirty ring.
 */
export function largestRing(system: System): number {
  const bytes = system.checkExtension(KVM_CAP_DIRTY_LOG_RING);
  if (bytes > 0) return bytes;
  throw new HostError(
    "KVM_CHECK_EXTENSION(KVM_CAP_DIRTY_LOG_RING): 0, this kernel has no dirty ring",
    "boot Linux 5.11 or newer on x86-64",
  );
}

/**
 * The smallest ring that this kernel accepts, found by asking it on a fresh VM.
 *
 * @param system `/dev/kvm`.
 * @param largest Bytes of the largest ring.
 * @returns Bytes.
 * @throws {KernelError} Where it accepts no size up to the largest.
 */
export function smallestRing(system: System, largest: number): number {
  using vm = system.createVm();
  let answer = 0;
  for (let bytes: number = kvm_dirty_gfn.size; bytes <= largest; bytes *= 2) {
    answer = vm.enableCap(KVM_CAP_DIRTY_LOG_RING, bytes);
    if (answer === 0) return bytes;
  }
  throw new KernelError(`KVM_ENABLE_CAP(KVM_CAP_DIRTY_LOG_RING, ${largest})`, answer);
}

/**
 * The reserved entries that a smallest ring tells of: a ring must hold more than them, and a page.
 *
 * @param smallest Bytes of the smallest ring that the kernel accepts.
 * @returns Entries, modelled on `kvm_dirty_ring_get_rsvd_entries`, v5.11 to v6.18; `null` where that
 * makes no such smallest ring.
 */
export function inferReserved(smallest: number): number | null {
  if (smallest === PAGE_SIZE) return RESERVED;
  return smallest === 4 * PAGE_SIZE ? RESERVED + RESERVED_FOR_PML : null;
}

/**
 * A ring's limits.
 *
 * @param bytes The ring's size.
 * @param reserved Its reserved entries, if they could be inferred.
 * @returns The limits.
 */
export function ringLimits(bytes: number, reserved: number | null): RingLimits {
  const entries = bytes / kvm_dirty_gfn.size;
  const softLimit = reserved === null ? null : entries - reserved;
  return { entries, bytes, reserved, softLimit, inferred: true };
}

/**
 * Enables the ring on a VM.
 *
 * @param system `/dev/kvm`, asked for its limits where it refuses.
 * @param vm The VM, without vCPUs yet.
 * @param bytes The ring's size, handed to the kernel as it is.
 * @throws {KernelError} Where the kernel refuses.
 */
export function enableRing(system: System, vm: Vm, bytes: number): void {
  const answer = vm.enableCap(KVM_CAP_DIRTY_LOG_RING, bytes);
  if (answer === 0) return;
  const largest = largestRing(system);
  const smallest = smallestRing(system, largest);
  const entries = (size: number) => size / kvm_dirty_gfn.size;
  throw new KernelError(`KVM_ENABLE_CAP(KVM_CAP_DIRTY_LOG_RING, ${bytes})`, answer, {
    asked: { ring: entries(bytes) },
    limit: { least: entries(smallest), most: entries(largest) },
    advice: (name) =>
      `${name("ring")} ${
        entries(bytes)
      } is ${bytes} bytes, and this kernel takes a power of two from ` +
      `${entries(smallest)} to ${entries(largest)} entries (${smallest} to ${largest} bytes)`,
  });
}
