import type { MemoryFile } from "../ffi/process.ts";
import { UsageError } from "../host/errors.ts";
import { findBochs } from "./bochs.ts";
import type { Emulator } from "./emulator.ts";
import { initramfs, type MachineContent } from "./initramfs.ts";
import { type KernelModule, modulesFor } from "./kernel_modules.ts";
import { findKernel, type KernelSource } from "./kernel_source.ts";
import { findQemu, nestedKvm } from "./qemu.ts";
import type { VmSettings } from "./vm_failure.ts";

/** A machine as a person asks for it. */
export interface MachineChoice {
  /** The kernel: an image, a tree, or a package. */
  readonly kernel: string;
  /** The folder of its modules; `null` where it is to be found. */
  readonly modules: string | null;
  /** What else it shall be. */
  readonly settings: VmSettings;
}

/** A machine whose parts were found. */
export interface PreparedMachine {
  /** The kernel. */
  readonly kernel: KernelSource;
  /** What it shall be. */
  readonly settings: VmSettings;
  /** What runs it. */
  readonly emulator: Emulator;
  /** The modules that its KVM needs, in order. */
  readonly modules: readonly KernelModule[];
  /** Makes its initramfs. */
  initrd(content: MachineContent): Promise<MemoryFile>;
}

/** Less holds neither Deno, which lies in memory twice while it is unpacked, nor what checks need. */
const LEAST_BYTES = 768 * 2 ** 20;

/**
 * Finds the parts of a machine, and says what is missing before anything is started.
 *
 * @returns The parts.
 * @throws {KernelFileError} Where a kernel, or its modules, are not there, or are other files.
 * @throws {HostError} Where there is no emulator for it.
 * @throws {UsageError} Where it is asked for what cannot be.
 */
export async function prepareMachine(choice: MachineChoice): Promise<PreparedMachine> {
  const { settings } = choice;
  if (settings.memoryBytes < LEAST_BYTES) {
    throw new UsageError(
      `--vm-memory ${
        Math.floor(settings.memoryBytes / 2 ** 20)
      }MiB: too little for Deno and a guest; ` +
        `expected ${LEAST_BYTES / 2 ** 20}MiB or more`,
    );
  }
  const kernel = await findKernel(choice.kernel, choice.modules);
  const emulator = await findEmulator(settings);
  const { image, modules: folder } = kernel;
  const modules = folder === null
    ? []
    : await modulesFor(folder, `kvm_${emulator.cpu}`, image.release);
  return { kernel, settings, emulator, modules, initrd: initramfs };
}

/**
 * Picks what runs a machine: Bochs where an Intel processor is wanted that this host's KVM does not have, otherwise
 * QEMU, whose processor in software is AMD's.
 *
 * @throws {HostError} Where it is not installed, or there is no nested KVM and it was asked for.
 * @throws {UsageError} Where it is asked for what it cannot be.
 */
async function findEmulator(settings: VmSettings): Promise<Emulator> {
  const nested = nestedKvm();
  const hasIntel = settings.accel !== "tcg" && typeof nested === "object" && nested.cpu === "intel";
  const isBochs = settings.cpu === "intel" && settings.accel !== "kvm" && !hasIntel;
  return isBochs ? await findBochs(settings) : await findQemu(settings, nested);
}
