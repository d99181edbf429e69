import type { Kernel } from "../ffi/kernel.ts";
import { ERRNO } from "../ffi/errno.ts";
import { KernelError } from "../ffi/kernel_error.ts";
import { KVM_CAP_MAX_VCPUS, KVM_CAP_NR_MEMSLOTS } from "../ffi/kvm_constants.ts";
import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";
import { System } from "../kvm/system.ts";
import type { WholeFile } from "./checkpoint_file.ts";
import { largestRing, smallestRing } from "../machine/ring_limits.ts";
import { UsageError } from "../lab/usage_error.ts";
import { printable } from "../text/printable.ts";

/**
 * Looks whether a kernel takes a machine, before it is made: who restores it cannot give other options, so that what
 * is said is said of the file.
 *
 * @param kernel The kernel.
 * @param file The file that tells of the machine.
 * @throws {UsageError} Where it has more vCPUs or slots than the kernel allows, or rings of another size.
 * @throws {HostError} Where the host has no usable KVM, or no dirty ring.
 * @throws {KernelError} Where the kernel fails a call.
 */
export function checkLimits(kernel: Kernel, { path, header: { lab, tracking } }: WholeFile): void {
  using system = System.open(kernel);
  const refuse = (what: string): never => {
    throw new UsageError(
      `${printable(path)}: its machine has ${what}; expected a kernel that takes it`,
    );
  };
  const vcpus = system.checkExtension(KVM_CAP_MAX_VCPUS);
  if (lab.vcpus > vcpus) refuse(`${lab.vcpus} vCPUs, and this kernel allows ${vcpus} at most`);
  const slots = system.checkExtension(KVM_CAP_NR_MEMSLOTS) - 1;
  if (lab.slots > slots) {
    refuse(`${lab.slots} logged slots, and this kernel allows ${slots} beside slot 0 at most`);
  }
  if (tracking !== "ring") return;
  const largest = largestRing(system);
  const entries = (bytes: number) => bytes / kvm_dirty_gfn.size;
  const [least, most] = [entries(smallestRing(system, largest)), entries(largest)];
  if (lab.ring >= least && lab.ring <= most && Number.isInteger(Math.log2(lab.ring))) return;
  refuse(
    `rings of ${lab.ring} entries, and this kernel takes a power of two from ${least} to ${most}`,
  );
}

/**
 * Makes what a checkpoint tells of, or says that there is no memory for it.
 *
 * @param file The file that tells of it.
 * @param make Makes it.
 * @returns What it made.
 * @throws {UsageError} Where the host has no memory for it.
 */
export async function fitting<T>(
  { path, header: { lab } }: WholeFile,
  make: () => T | Promise<T>,
): Promise<T> {
  try {
    return await make();
  } catch (error) {
    const why = wantOfMemory(error);
    if (why === null) throw error;
    throw new UsageError(
      `${
        printable(path)
      }: there is no memory here for its machine of ${lab.vcpus} vCPUs and ${lab.memory} bytes ` +
        `of memory (${why}); expected a larger host, or a higher limit (ulimit -v)`,
    );
  }
}

// The kernel says ENOMEM; V8 has no class of its own for an array that it finds no memory for.
function wantOfMemory(error: unknown): string | null {
  if (error instanceof KernelError && error.errno === ERRNO.ENOMEM) return `${error.call}: ENOMEM`;
  const isAllocation = error instanceof RangeError &&
    /allocation failed|Invalid typed array/.test(error.message);
  return isAllocation ? error.message : null;
}
