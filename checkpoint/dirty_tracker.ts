import type { DirtySet } from "../ring/dirty_set.ts";
import type { BitmapKind } from "../lab/bitmap_log.ts";
import type { Problems } from "../lab/problems.ts";

/** How a machine's dirty pages are tracked. */
export type TrackingKind = "ring" | BitmapKind;

/**
 * What knows which pages are dirty. It is asked in two steps: learn, then re-arm. A page is read only after it was
 * re-armed, so that a store which comes between the two is seen by the reader, and one that comes later is
 * announced.
 */
export interface DirtyTracker extends Disposable {
  /** What did not hold. */
  readonly problems: Problems;
  /** Whether it can be asked while vCPUs run, and stops a vCPU before it dirties more than can be held. */
  readonly holdsBack: boolean;
  /**
   * Learns which pages are dirty. They stay as they are until they are re-armed: a further store to one of them
   * is not announced again.
   *
   * @param pages Gets the pages, beside those that it holds.
   * @param ids The vCPUs whose pages are wanted, where they are told apart; all unless given. What else is learned
   * is no mistake.
   * @throws {KernelError} Where the kernel refuses.
   */
  learn(pages: DirtySet, ids?: readonly number[]): void;
  /**
   * Re-arms all that was learned: the next store to it is announced.
   *
   * @throws {KernelError} Where the kernel refuses.
   */
  rearm(): void;
  /**
   * What was learned of a vCPU since the beginning: that it grows shows that a vCPU which stopped with
   * `KVM_EXIT_DIRTY_RING_FULL` can run on.
   *
   * @param id The vCPU.
   * @returns Entries; 0 where vCPUs are not told apart, nor stopped.
   */
  learnedOf(id: number): number;
  /** Looks, once all vCPUs stand still and all is learned and re-armed, whether something was left behind. */
  conclude(): void;
}
