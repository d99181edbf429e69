// Finds everything that a machine needs before it is started.
import type { MemoryFile } from "../ffi/process.ts";
import { UsageError } from "../host/errors.ts";
import { findBochs } from "./bochs.ts";
import type { Emulator } from "./emulator.ts";
import { initramfs, type MachineContent } from "./initramfs.ts";
import { type KernelModule, modulesFor } from "./kernel_modules.ts";
import { findKernel, type KernelSource } from "./kernel_source.ts";
import { findQemu, nestedKvm } from "./qemu.ts";
import type { VmSettings } from "./vm_failure.ts";

/** A machine as the user asks for it. */
export interface MachineChoice {
  /** The kernel: an image, a tree, or a package. */
  readonly kernel: string;
  /** The folder of its modules; `null` to search for it. */
  readonly modules: string | null;
  /** The other settings. */
  readonly settings: VmSettings;
}

/** A machine whose parts were found. */
export interface PreparedMachine {
  /** The kernel. */
  readonly kernel: KernelSource;
  /** The machine's settings. */
  readonly settings: VmSettings;
  /** The emulator that runs it. */
  readonly emulator: Emulator;
  /** The modules that KVM needs, in load order. */
  readonly modules: readonly KernelModule[];
  /** Builds the initramfs. */
  initrd(content: MachineContent): Promise<MemoryFile>;
}

/**
 * The least memory, in bytes. It must hold Deno twice while the initramfs is unpacked, and what
 * checks need.
 */
const LEAST_BYTES = 768 * 2 ** 20;

/**
 * Finds the parts of a machine, and reports what is missing before anything is started.
 *
 * @throws {KernelFileError} Where the kernel or its modules are missing, or the files are something
 * else.
 * @throws {HostError} Where there is no emulator for the machine.
 * @throws {UsageError} Where the settings cannot be met.
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
 * Picks the emulator: Bochs where an Intel processor is wanted that this host's KVM cannot provide,
 * otherwise QEMU, whose software processor is AMD's.
 *
 * @throws {HostError} Where the emulator is not installed, or nested KVM was asked for and there is
 * none.
 * @throws {UsageError} Where the emulator cannot meet the settings.
 */
async function findEmulator(settings: VmSettings): Promise<Emulator> {
  const nested = nestedKvm();
  const hasIntel = settings.accel !== "tcg" && typeof nested === "object" && nested.cpu === "intel";
  const isBochs = settings.cpu === "intel" && settings.accel !== "kvm" && !hasIntel;
  return isBochs ? await findBochs(settings) : await findQemu(settings, nested);
}
