// What the model shows and a real kernel hides, and what kind of kernel the model can be.

/**
 * A ring's private state, which is in no mapping (`struct kvm_dirty_ring`, virt/kvm/dirty_ring.c).
 */
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

/** One call of `kvm_reset_dirty_gfn`: a batch of pages to re-protect. */
export interface ResetCall {
  /** Address space << 16 | slot id. */
  readonly slot: number;
  /** Pages from the slot's base to mask bit 0: u64. */
  readonly offset: bigint;
  /** Bit n stands for page offset + n: u64. */
  readonly mask: bigint;
}

/**
 * The part of an entry that a push has just written. In another order a reader could see a stale
 * entry.
 */
export type PushStep = "slot" | "offset" | "flags";

/**
 * What the model offers beyond system calls: it shows its private state, and it can be led into
 * corner cases. A real kernel hides the former, and the latter would harm it.
 */
export interface Insight {
  /** The kernel version whose rules it follows, as it was chosen: `"v6.17"`, or `"latest"`. */
  readonly version: string;
  /** Whether its processor has page-modification logging. */
  readonly pml: boolean;
  /** Whether it emulates real mode, as hosts without unrestricted guests do. */
  readonly emulator: boolean;

  /**
   * The private state of a vCPU's ring.
   *
   * @returns The state, or `null` if the vCPU has no ring.
   */
  ring(vcpuFd: number): RingInsight | null;

  /**
   * The `kvm_reset_dirty_gfn` calls of a VM's last `KVM_RESET_DIRTY_RINGS`, in order, including
   * those with an empty mask.
   */
  resetCalls(vmFd: number): readonly ResetCall[];

  /**
   * `KVM_RUN` for a limited number of instructions.
   *
   * @param instructions The most instructions to execute.
   * @returns What `KVM_RUN` answers, or -EAGAIN if the limit was reached.
   */
  runSlice(vcpuFd: number, instructions: number): number;

  /**
   * Writes a byte of guest memory from the kernel itself, with no vCPU running.
   *
   * @param address Guest physical address.
   * @returns Whether the kernel warned, as there is no vCPU whose ring could get the page.
   */
  writeOutsideVcpu(vmFd: number, address: number): boolean;

  /**
   * The dirty bitmap of a slot that was logged before the ring was enabled; no ioctl returns it any
   * more.
   *
   * @param slot Address space << 16 | slot id.
   * @returns The dirty pages, ascending, or `null` if the slot has no bitmap.
   */
  bitmap(vmFd: number, slot: number): readonly number[] | null;

  /** Makes the next allocation of a ring fail. */
  failNextAllocation(): void;

  /**
   * Sets the most entries that one reset call takes, so that a test need not push INT_MAX entries.
   *
   * @param entries The number, or `null` for the kernel version's own: INT_MAX since v6.17.
   */
  setResetMaximum(entries: number | null): void;

  /**
   * Watches pushes.
   *
   * @param listener Called after each step of a push, with the entry's index; `null` stops
   * watching.
   */
  watchPushes(listener: ((step: PushStep, vcpuFd: number, index: number) => void) | null): void;
}

/** The kernel versions whose rules the model knows; each also stands for those before the next. */
export type ModelVersion =
  | "v5.11"
  | "v6.1"
  | "v6.10"
  | "v6.12"
  | "v6.14"
  | "v6.17"
  | "latest";

/** The kernel and the processor to model. */
export interface ModelKind {
  /** The kernel version. */
  readonly version: ModelVersion;
  /** Whether the processor has page-modification logging. */
  readonly pml: boolean;
  /** Whether the host emulates real mode: then every store of a real-mode guest pushes. */
  readonly emulator: boolean;
}
