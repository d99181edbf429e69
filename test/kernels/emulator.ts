// Finds the emulator that would run a VM, without starting one.
import { HostError } from "../../ffi/errors.ts";
import { prepareMachine } from "../../vm/prepare.ts";
import type { VmCpu } from "../../vm/vm_failure.ts";

/** The command line's default settings of a VM. */
const VM = {
  accel: "auto",
  cpus: 2,
  memoryBytes: 2 ** 31,
  timeoutMs: null,
  kernelArgs: "",
} as const;

/**
 * The emulator that the tool uses for a VM.
 *
 * @param cpu The vendor of its processor; `null` is the tool's choice.
 * @param kernel The folder of an unpacked package.
 * @returns Its name, `QEMU 7.2.22, in software`, or why the host has none.
 */
export async function emulatorOf(
  cpu: VmCpu | null,
  kernel: string,
): Promise<string | { readonly missing: string }> {
  try {
    const { emulator } = await prepareMachine({ kernel, modules: null, settings: { ...VM, cpu } });
    return emulator.name;
  } catch (error) {
    if (error instanceof HostError) return { missing: error.message };
    throw error;
  }
}
