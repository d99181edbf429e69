// What the emulators QEMU and Bochs have in common.
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
  /** The machine's settings. */
  readonly settings: VmSettings;
}

/** A running machine. */
export interface Emulation {
  /** Output of the first serial port, the kernel's console, and the emulator's own messages. */
  readonly console: AsyncIterable<Uint8Array>;
  /** Output of the second serial port. */
  readonly line: AsyncIterable<Uint8Array>;
  /** Sends bytes to the machine: to the second serial port, or the one that `FROM_HOST` names. */
  write(bytes: Uint8Array): Promise<void>;
  /** Resolves when the process ends. */
  readonly ended: Promise<{ readonly code: number }>;
  /** Kills the process, waits for its end and releases its resources. */
  kill(): Promise<void>;
}

/** An emulator installed on this host. */
export interface Emulator {
  /** A description for the user, such as `QEMU 7.2.22, in software`. */
  readonly name: string;
  /** Kernel arguments that this emulator needs. */
  readonly kernelArgs: string;
  /** The default time limit of a machine, in milliseconds. */
  readonly timeoutMs: number;
  /** How long a healthy machine may be silent, in milliseconds. */
  readonly silenceMs: number;
  /**
   * The vendor whose virtualization the machine's processor has, and so which of `kvm_amd` and
   * `kvm_intel` drives it.
   */
  readonly cpu: VmCpu;
  /**
   * Starts a machine.
   *
   * @throws {HostError} Where it cannot be started.
   */
  start(boot: Boot): Promise<Emulation>;
}

/**
 * A machine that runs as one process. Its standard error is the console; its standard output and
 * input are the serial line.
 *
 * @param release Called at the end of {@linkcode Emulation.kill}.
 */
export function childEmulation(
  child: Deno.ChildProcess,
  release: () => void = () => {},
): Emulation {
  const writer = child.stdin.getWriter();
  // Ignore bytes that it has not read when it ends.
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
        // It has ended already.
      }
      await child.status;
      await writer.abort().catch(() => {});
      release();
    },
  };
}
