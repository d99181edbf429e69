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
