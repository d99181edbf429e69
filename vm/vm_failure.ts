import { UsageError } from "../host/errors.ts";

/** A machine that did not come to an answer: its kernel did not boot, panicked, hung, or ran out of time. */
export class VmFailure extends Error {
  /** The last lines of its console. */
  readonly console: readonly string[];

  /**
   * Says what happened.
   *
   * @param console The last lines of its console.
   */
  constructor(what: string, console: readonly string[]) {
    super(what);
    this.name = "VmFailure";
    this.console = console;
  }
}

/**
 * A kernel that is not there, or is another file: what a commit did not build. For `git bisect run` that says nothing
 * about the kernel, where another wrong command line would be wrong for each commit.
 */
export class KernelFileError extends UsageError {}

/** Whose processor a machine has: QEMU's software AMD, Bochs' Intel, or this host's with nested KVM. */
export type VmCpu = "amd" | "intel";

/** What runs a machine's instructions: `auto` is KVM where this host has it nested, otherwise software. */
export type VmAccel = "auto" | "kvm" | "tcg";

/** What a machine shall be, but for its kernel. */
export interface VmSettings {
  /** What runs its instructions. */
  readonly accel: VmAccel;
  /** Its processor; `null` is this host's with KVM, otherwise `amd`. */
  readonly cpu: VmCpu | null;
  /** Virtual CPUs; `null` is what suits the emulator. */
  readonly cpus: number | null;
  /** Bytes of memory. */
  readonly memoryBytes: number;
  /** The longest that it may run, in milliseconds; `null` is what suits the emulator. */
  readonly timeoutMs: number | null;
  /** More of the kernel's command line. */
  readonly kernelArgs: string;
}
