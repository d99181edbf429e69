// What the ring and the bitmaps have in common as ways to track a VM's dirty pages.
import type { System } from "../kvm/system.ts";
import type { Vcpu } from "../kvm/vcpu.ts";
import type { Vm } from "../kvm/vm.ts";
import type { DirtySet } from "../memory/page_sets.ts";
import type { Entries, LoggedPages, Slot } from "../ring/entry.ts";
import type { Harvester } from "../ring/harvest.ts";

/**
 * How the pages of a bitmap are re-protected: by `KVM_GET_DIRTY_LOG` itself, or by
 * `KVM_CLEAR_DIRTY_LOG` after it, with `KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2`.
 */
export type BitmapKind = "bitmap" | "bitmap-manual";

/** How a VM's dirty pages are tracked. */
export type TrackingKind = "ring" | BitmapKind;

/**
 * Harvests a ring: all its dirty entries, unless the function's own documentation says otherwise.
 *
 * @param id The vCPU whose ring it is.
 * @returns The entries taken, valid until the ring's next harvest.
 */
export type Take = (harvester: Harvester, id: number) => Entries;

/** The answer to re-protecting. */
export interface Rearmed {
  /**
   * Entries that the kernel reset, over all vCPUs; `null` for bitmaps, for which it reports no
   * count.
   */
  readonly count: number | null;
  /** Nanoseconds spent in the kernel's calls; 0 if there was nothing to do. */
  readonly ns: number;
}

/** What is left in a ring that should be empty. */
export interface LeftBehind {
  /** Entries that no harvest has taken. */
  readonly dirty: number;
  /** Entries that were harvested, but not reset. */
  readonly harvested: number;
}

/**
 * The source of a VM's dirty pages: its rings, or a bitmap for each logged slot. A tracker belongs
 * to one VM, which enables it while it is made (`machine/guest_vm.ts`). After that it is used in
 * two steps: learn and re-protect. A page may be read only after it was re-protected. The reader
 * then sees a store that came between the two steps, and a later store is reported by the next
 * `learn`.
 * `drive/harvest_cycle.ts` takes these steps and reports what does not hold.
 */
export interface DirtyTracker extends Disposable {
  /** How it tracks. */
  readonly kind: TrackingKind;
  /**
   * Enables the way of tracking on a VM that has neither memory slots nor vCPUs yet.
   *
   * @param system `/dev/kvm`, which is asked for its limits.
   * @throws {HostError} If the kernel does not support this way of tracking.
   * @throws {KernelError} If the kernel refuses.
   */
  enable(system: System, vm: Vm): void;
  /**
   * Tracks a new vCPU. vCPUs must be added in the order of their ids.
   *
   * @returns What the caller must dispose of before the vCPU; `null` if there is nothing.
   * @throws {KernelError} If the kernel refuses.
   */
  addVcpu(vcpu: Vcpu): Disposable | null;
  /**
   * Allocates room for what it will learn, once the VM has its slots and vCPUs. From now on the
   * tracker must be disposed of.
   *
   * @param slots The VM's slots.
   * @throws {KernelError} If memory cannot be mapped.
   */
  begin(slots: readonly Slot[]): void;
  /** Warms up what would make the first {@linkcode DirtyTracker.learn} slow. */
  warm(): void;
  /**
   * Learns which pages are dirty. They stay dirty until they are re-protected: a further store to
   * one of them is not reported again.
   *
   * @param ids The vCPUs whose pages are wanted. A tracker that cannot tell vCPUs apart learns the
   * pages of all.
   * @param take How each ring is harvested, if there are rings; in ring order unless given.
   * @returns The number of entries, or of pages, that were found.
   * @throws {KernelError} If the kernel refuses.
   */
  learn(ids: readonly number[], take?: Take): number;
  /**
   * Adds the pages that the last {@linkcode DirtyTracker.learn} found to a set.
   *
   * @param logged Which page an entry names.
   * @param stray Called if entries name no logged page, with the vCPU and the number of them.
   */
  addTo(pages: DirtySet, logged: LoggedPages, stray: (id: number, count: number) => void): void;
  /**
   * Re-protects all pages that were learned: the next store to each is reported again.
   *
   * @throws {KernelError} If the kernel refuses.
   */
  rearm(): Rearmed;
  /**
   * How much was learned of a vCPU since the beginning. If it grows after a vCPU stopped with
   * `KVM_EXIT_DIRTY_RING_FULL`, that vCPU can run on.
   *
   * @returns Entries; always 0 with bitmaps, which neither tell vCPUs apart nor stop them.
   */
  learnedOf(id: number): number;
  /**
   * What each ring still holds. Call it when all vCPUs stand still and everything is learned and
   * re-protected.
   *
   * @returns What is left, by vCPU; empty with bitmaps.
   */
  left(): readonly LeftBehind[];
}
