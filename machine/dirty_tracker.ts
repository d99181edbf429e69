import type { System } from "../kvm/system.ts";
import type { Vcpu } from "../kvm/vcpu.ts";
import type { Vm } from "../kvm/vm.ts";
import type { DirtySet } from "../memory/page_sets.ts";
import type { Entries, LoggedPages, Slot } from "../ring/entry.ts";
import type { Harvester } from "../ring/harvest.ts";

/**
 * How a bitmap is re-armed: by `KVM_GET_DIRTY_LOG` itself, or by `KVM_CLEAR_DIRTY_LOG` after it, with
 * `KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2`.
 */
export type BitmapKind = "bitmap" | "bitmap-manual";

/** How a VM's dirty pages are tracked. */
export type TrackingKind = "ring" | BitmapKind;

/**
 * How a ring is harvested: whole, all that is dirty, unless it says otherwise.
 *
 * @param id The vCPU whose ring it is.
 * @returns The entries taken, valid until the ring's next harvest.
 */
export type Take = (harvester: Harvester, id: number) => Entries;

/** What a re-arming came to. */
export interface Rearmed {
  /** Entries that the kernel took back, over all vCPUs; `null` for a bitmap, which it does not count. */
  readonly count: number | null;
  /** Nanoseconds in the kernel's calls; 0 where there was nothing to do. */
  readonly ns: number;
}

/** What is left in a ring that should be empty. */
export interface LeftBehind {
  /** Entries that no harvest has taken. */
  readonly dirty: number;
  /** Entries that were harvested, and that no reset has taken back. */
  readonly harvested: number;
}

/**
 * What knows which pages of a VM are dirty: its rings, or a bitmap for each logged slot. A tracker belongs to one
 * VM, which has it enabled while it is made (`machine/guest_vm.ts`), and then is asked in two steps: learn, and
 * re-arm. A page is read only after it was re-armed, so that a store which comes between the two is seen by the
 * reader, and one that comes later is announced. drive/harvest_cycle.ts takes the steps, and tells what does not
 * hold.
 */
export interface DirtyTracker extends Disposable {
  /** How it tracks. */
  readonly kind: TrackingKind;
  /**
   * Enables what it needs on a VM that has neither memory slots nor vCPUs yet.
   *
   * @param system `/dev/kvm`, asked for its limits.
   * @throws {HostError} Where the kernel does not know this way of tracking.
   * @throws {KernelError} Where the kernel refuses.
   */
  enable(system: System, vm: Vm): void;
  /**
   * Tracks a vCPU that was made. They come in the order of their ids.
   *
   * @returns What is to be given back before the vCPU is; `null` where that is nothing.
   * @throws {KernelError} Where the kernel refuses.
   */
  addVcpu(vcpu: Vcpu): Disposable | null;
  /**
   * Makes room for what it will learn, once the VM has its slots and vCPUs. There is something to dispose from now on.
   *
   * @param slots The VM's slots.
   * @throws {KernelError} Where memory cannot be mapped.
   */
  begin(slots: readonly Slot[]): void;
  /** Does beforehand what would make the first learning slow. */
  warm(): void;
  /**
   * Learns which pages are dirty. They stay as they are until they are re-armed: a further store to one of them
   * is not announced again.
   *
   * @param ids The vCPUs whose pages are wanted, where they are told apart. What else is learned is no mistake.
   * @param take How each ring is harvested, where there are rings; as it comes unless given.
   * @returns Entries, or pages, that were found.
   * @throws {KernelError} Where the kernel refuses.
   */
  learn(ids: readonly number[], take?: Take): number;
  /**
   * Adds the pages that the last {@linkcode DirtyTracker.learn} found to those of a set.
   *
   * @param logged Which page an entry names.
   * @param stray Is told of entries that name no logged page: the vCPU, and how many.
   */
  addTo(pages: DirtySet, logged: LoggedPages, stray: (id: number, count: number) => void): void;
  /**
   * Re-arms all that was learned: the next store to it is announced.
   *
   * @throws {KernelError} Where the kernel refuses.
   */
  rearm(): Rearmed;
  /**
   * What was learned of a vCPU since the beginning: that it grows shows that a vCPU which stopped with
   * `KVM_EXIT_DIRTY_RING_FULL` can run on.
   *
   * @returns Entries; 0 where vCPUs are not told apart, nor stopped.
   */
  learnedOf(id: number): number;
  /**
   * What is left of each vCPU, once all stand still and all is learned and re-armed.
   *
   * @returns By vCPU; none where vCPUs are not told apart.
   */
  left(): readonly LeftBehind[];
}
