// The settings of a machine, and the errors of one that does not come to a result.
import { UsageError } from "../host/errors.ts";

/**
 * Thrown for a machine that gave no result: its kernel did not boot, panicked, hung, or ran out of
 * time.
 */
export class VmFailure extends Error {
  /** The last lines of its console. */
  readonly console: readonly string[];

  /**
   * Records what happened.
   *
   * @param console The last lines of the machine's console.
   */
  constructor(what: string, console: readonly string[]) {
    super(what);
    this.name = "VmFailure";
    this.console = console;
  }
}

/**
 * Thrown where a kernel or its modules are missing or are not what they should be. It is a class of
 * its own for `git bisect run`: one commit may fail to build a kernel, and is skipped, whereas any
 * other wrong command line is wrong for every commit.
 */
export class KernelFileError extends UsageError {}

/**
 * The vendor of a machine's processor: AMD as emulated by QEMU, Intel as emulated by Bochs, or this
 * host's with nested KVM.
 */
export type VmCpu = "amd" | "intel";

/**
 * What runs a machine's instructions. `auto` is nested KVM where this host has it, otherwise
 * software.
 */
export type VmAccel = "auto" | "kvm" | "tcg";

/** The settings of a machine, apart from its kernel. */
export interface VmSettings {
  /** What runs the machine's instructions. */
  readonly accel: VmAccel;
  /** The vendor of its processor; `null` is this host's vendor with KVM, otherwise `amd`. */
  readonly cpu: VmCpu | null;
  /** The number of virtual CPUs; `null` is the emulator's default. */
  readonly cpus: number | null;
  /** Bytes of memory. */
  readonly memoryBytes: number;
  /** The time limit, in milliseconds; `null` is the emulator's default. */
  readonly timeoutMs: number | null;
  /** Further kernel arguments; empty for none. */
  readonly kernelArgs: string;
}
