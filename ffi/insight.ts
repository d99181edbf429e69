/** A ring's private state, which no mapping shows (`struct kvm_dirty_ring`, virt/kvm/dirty_ring.c). */
export interface RingInsight {
  /** Where the next push goes: a free-running u32. */
  readonly dirtyIndex: number;
  /** Where the next reset begins: a free-running u32. */
  readonly resetIndex: number;
  /** Size in entries. */
  readonly size: number;
  /** Entries in use from which a guest entry reports a full ring. */
  readonly softLimit: number;
}

/** A call of `kvm_reset_dirty_gfn`: the pages that are re-protected at a time. */
export interface ResetCall {
  /** Address space << 16 | slot id. */
  readonly slot: number;
  /** Pages from the slot's base to mask bit 0: u64. */
  readonly offset: bigint;
  /** Bit n is page offset + n: u64. */
  readonly mask: bigint;
}

/** What of an entry a push has just written: in this order, or a reader could see a stale entry. */
export type PushStep = "slot" | "offset" | "flags";

/**
 * What a kernel in memory tells beyond its system calls, and the corners that it can be led into. A
 * real kernel hides the one and is not to be harmed by the other.
 */
export interface Insight {
  /** The kernel version whose rules it keeps, as it was chosen: `"v6.17"`, or `"latest"`. */
  readonly version: string;
  /** Whether it behaves as a processor with page-modification logging. */
  readonly pml: boolean;
  /** Whether it emulates real mode, as hosts without unrestricted guests do. */
  readonly emulator: boolean;

  /**
   * A ring's private state.
   *
   * @param vcpuFd The vCPU's file descriptor.
   * @returns The state, or `null` where the vCPU has no ring.
   */
  ring(vcpuFd: number): RingInsight | null;

  /**
   * The `kvm_reset_dirty_gfn` calls of the last `KVM_RESET_DIRTY_RINGS`, in order, with those whose mask
   * is empty.
   *
   * @param vmFd The VM's file descriptor.
   */
  resetCalls(vmFd: number): readonly ResetCall[];

  /**
   * Runs a vCPU for a number of instructions, as `KVM_RUN` does.
   *
   * @param vcpuFd The vCPU's file descriptor.
   * @param instructions The most to execute.
   * @returns What `KVM_RUN` answers, or -EAGAIN where the vCPU could go on.
   */
  runSlice(vcpuFd: number, instructions: number): number;

  /**
   * Writes a byte of guest memory as the kernel does for itself, outside any running vCPU.
   *
   * @param vmFd The VM's file descriptor.
   * @param address Guest physical address.
   * @returns Whether the kernel warned: there is no vCPU whose ring the page could go to.
   */
  writeOutsideVcpu(vmFd: number, address: number): boolean;

  /**
   * The bitmap of a slot that was logged before the ring was enabled: no ioctl shows it any more.
   *
   * @param vmFd The VM's file descriptor.
   * @param slot Address space << 16 | slot id.
   * @returns Its dirty pages, ascending, or `null` where it has none.
   */
  bitmap(vmFd: number, slot: number): readonly number[] | null;

  /** Lets the next allocation of a ring fail. */
  failNextAllocation(): void;

  /**
   * Stands in for INT_MAX, the most entries that one reset call takes since v6.17.
   *
   * @param entries The number, or `null` for INT_MAX itself.
   */
  setResetMaximum(entries: number | null): void;

  /**
   * Watches pushes.
   *
   * @param listener Called after each word group of an entry is written; `null` ends it.
   */
  watchPushes(listener: ((step: PushStep, vcpuFd: number, index: number) => void) | null): void;
}

/** The kernel versions whose rules the model keeps; each holds until the next. */
export type ModelVersion =
  | "v5.11"
  | "v6.1"
  | "v6.10"
  | "v6.12"
  | "v6.14"
  | "v6.17"
  | "latest";

/** What a model shall be. */
export interface ModelKind {
  /** The kernel version. */
  readonly version: ModelVersion;
  /** A processor with page-modification logging. */
  readonly pml: boolean;
  /** A host that emulates real mode: every store of a real-mode guest pushes. */
  readonly emulator: boolean;
}
