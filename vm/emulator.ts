import type { MemoryFile } from "../ffi/process.ts";
import type { KernelImage } from "./elf.ts";
import type { VmCpu, VmSettings } from "./vm_failure.ts";

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

/**
 * A machine that is one process: what it says on standard error is the console, the other two streams are the line.
 *
 * @param release Called once it has ended by {@linkcode Emulation.kill}.
 */
export function childEmulation(
  child: Deno.ChildProcess,
  release: () => void = () => {},
): Emulation {
  const writer = child.stdin.getWriter();
  // What it has not read when it ends is of no use to anybody.
  writer.closed.catch(() => {});
  return {
    console: child.stderr,
    line: child.stdout,
    write: (bytes) => writer.write(bytes).catch(() => {}),
    ended: child.status,
    async kill() {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has gone.
      }
      await child.status;
      await writer.abort().catch(() => {});
      release();
    },
  };
}
