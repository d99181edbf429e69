import type { MemoryFile } from "../ffi/memory_file.ts";
import type { KernelImage } from "./kernel_image.ts";
import type { VmCpu, VmSettings } from "./vm_settings.ts";

/** What an emulator boots. */
export interface Boot {
  /** The kernel. */
  readonly image: KernelImage;
  /** The initramfs. */
  readonly initrd: Pick<MemoryFile, "path" | "size">;
  /** The kernel's command line. */
  readonly cmdline: string;
  /** What the machine shall be. */
  readonly settings: VmSettings;
}

/** The process of a machine. */
export interface Emulation {
  /** What the first serial port says: the kernel's console, and the emulator's own complaints. */
  readonly console: AsyncIterable<Uint8Array>;
  /** What the second serial port says. */
  readonly line: AsyncIterable<Uint8Array>;
  /** Sends bytes to the second serial port. */
  write(bytes: Uint8Array): Promise<void>;
  /** The end of the process. */
  readonly ended: Promise<{ readonly code: number }>;
  /** Ends the process, whatever it does, and waits until nothing of it is left. */
  kill(): Promise<void>;
}

/** An emulator as this host has it. */
export interface Emulator {
  /** What runs the machine, for a person: `QEMU 7.2.22, in software`. */
  readonly name: string;
  /** What the kernel needs to be told on this one. */
  readonly kernelArgs: string;
  /** The longest that a machine may run, unless told otherwise, in milliseconds. */
  readonly timeoutMs: number;
  /** The longest that a machine that is well says nothing, in milliseconds. */
  readonly silenceMs: number;
  /** Whose virtualization its processor has: kvm_amd drives it, or kvm_intel. */
  readonly cpu: VmCpu;
  /**
   * Starts a machine.
   *
   * @throws {HostError} Where it cannot be started.
   */
  start(boot: Boot): Promise<Emulation>;
}
