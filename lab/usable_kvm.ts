import { HostError } from "../ffi/host_error.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { System } from "../kvm/system.ts";
import { largestRing } from "../machine/ring_limits.ts";

/**
 * Finds out whether a kernel has a KVM with a dirty ring.
 *
 * @param open Reaches the kernel.
 * @returns The kernel, or what is missing.
 * @throws {KernelError} Where the host has one and a call fails all the same.
 */
export function tryKvm(open: () => Kernel): Kernel | string {
  try {
    const kernel = open();
    using system = System.open(kernel);
    largestRing(system);
    return kernel;
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return error.what;
  }
}
