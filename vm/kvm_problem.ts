import { errnoText } from "../ffi/errno.ts";
import { HostError } from "../ffi/host_error.ts";
import type { GuestProblem } from "./guest_request.ts";
import type { KernelSource } from "./kernel_source.ts";
import { VmFailure } from "./vm_failure.ts";
import type { VmCpu } from "./vm_settings.ts";
import { printable } from "../text/printable.ts";

/**
 * Why a kernel that booted has no KVM to be asked.
 *
 * @param problem What its first process found.
 * @param kernel The kernel.
 * @param cpu Whose virtualization the machine has.
 * @param console The last lines of its console.
 * @returns The error: of the host where the kernel or its modules lack something.
 */
export function kvmProblem(
  problem: GuestProblem,
  { image, modules }: KernelSource,
  cpu: VmCpu,
  console: readonly string[],
): Error {
  const { refused, words, error } = problem;
  if (error !== null) {
    return new VmFailure(`${printable(image.path)}: ${printable(error)}`, console);
  }
  const what = `${printable(image.path)} (${printable(image.release)})`;
  const module = `CONFIG_KVM_${cpu.toUpperCase()}`;
  const said = words.at(-1);
  if (refused.length > 0) {
    const { name, errno } = refused.at(-1)!;
    return new HostError(
      `${what}: init_module(${printable(name)}): ${errnoText(errno)}${
        said === undefined ? "" : `; it says: ${printable(said)}`
      }`,
      "use modules of the same build, and --vm-cpu for another processor",
    );
  }
  if (said !== undefined) {
    return new HostError(
      `${what}: its KVM refuses this processor: ${printable(said)}`,
      `build it with ${module}`,
    );
  }
  return new HostError(
    `${what}: has no KVM, ${
      modules === null ? "and no modules of it were found" : `nor has ${printable(modules)}`
    }`,
    `build it with CONFIG_KVM and ${module}, or give the folder of its modules with --modules`,
  );
}
