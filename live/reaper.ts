import { Distribution } from "../ring/distribution.ts";
import type { Entries } from "../ring/entries.ts";
import { PageSet } from "../ring/page_set.ts";
import type { PushOrder } from "../ring/push_order.ts";
import type { Witness } from "../ring/witness.ts";
import type { Lab } from "../lab/lab.ts";
import { Problems } from "../lab/problems.ts";
import { pushOrders } from "./push_orders.ts";
import { resetHarvested } from "./reset_harvested.ts";

/** What was reaped of one ring. */
export interface ReapedRing {
  /** Entries harvested in all. */
  entries: number;
  /** The most entries that a harvest found since somebody was told of them. */
  most: number;
  /** Entries that each harvest found. */
  readonly occupancy: Distribution;
  /** The pages that they named. */
  readonly pages: PageSet;
}

/** How a reaper harvests. */
export interface ReaperOptions {
  /** Whether entries are sorted in the ring before they are marked. */
  readonly sort: boolean;
}

/**
 * Harvests rings while their vCPUs run, resets them, and only then reads their pages. The one caller of
 * `KVM_RESET_DIRTY_RINGS`: what it returns must be what was harvested since the last.
 *
 * The two halves are apart so that a vCPU whose ring was full can run on between them: `reap()`, resume,
 * `inspect()`.
 */
export class Reaper {
  /** The lab. */
  protected readonly lab: Lab;
  /** What remembers the pages read. */
  protected readonly witness: Witness;
  /** What did not hold. */
  readonly problems: Problems = new Problems();
  /** The rings, by vCPU. */
  readonly rings: readonly ReapedRing[];
  /** Times of harvests, nanoseconds, the sorting included. */
  readonly harvestNs: Distribution = new Distribution();
  /** Times of `KVM_RESET_DIRTY_RINGS`, nanoseconds. */
  readonly resetNs: Distribution = new Distribution();
  /** Entries that all resets returned. */
  resetEntries = 0;
  /** The entries harvested last, not inspected yet, with their vCPUs. */
  protected fresh: { readonly id: number; readonly entries: Entries }[] = [];
  readonly #sort: boolean;
  // Entries harvested that no reset has taken back yet: more than one harvest's where a reset failed.
  #unreset = 0;
  /** What holds entries against the order of the stores; `null` where that cannot be told. */
  readonly orders: readonly PushOrder[] | null;

  /**
   * Makes ready.
   *
   * @param lab The lab.
   * @param witness What remembers the pages read.
   * @param options How it harvests.
   */
  constructor(lab: Lab, witness: Witness, options: ReaperOptions) {
    this.lab = lab;
    this.witness = witness;
    this.#sort = options.sort;
    this.orders = options.sort ? null : pushOrders(lab);
    this.rings = lab.vcpus.map(() => ({
      entries: 0,
      most: 0,
      occupancy: new Distribution(),
      pages: new PageSet(lab.pages.total),
    }));
  }

  /**
   * Harvests rings, all that is dirty in them, and resets.
   *
   * @param ids The vCPUs whose rings they are.
   * @returns Entries harvested of each.
   * @throws {KernelError} Where the kernel fails the reset.
   */
  reap(ids: readonly number[]): readonly number[] {
    const harvested = this.harvest(ids);
    this.witness.beginHarvest();
    this.reset(this.#unreset);
    this.#unreset = 0;
    return harvested;
  }

  /** Reads the pages that were reaped last. */
  inspect(): void {
    for (const { id, entries } of this.fresh) {
      this.witness.read(entries, this.rings[id]!.pages);
      this.orders?.[id]?.compare(entries);
    }
    this.fresh = [];
  }

  /**
   * Harvests rings.
   *
   * @param ids The vCPUs whose rings they are.
   * @returns Entries harvested of each.
   */
  protected harvest(ids: readonly number[]): readonly number[] {
    this.inspect(); // what a failed reset has left
    const started = performance.now();
    const taken = ids.map((id) => ({ id, entries: this.take(id) }));
    this.harvestNs.add(since(started));
    this.fresh = taken;
    return taken.map(({ id, entries: { length } }) => {
      const ring = this.rings[id]!;
      ring.entries += length;
      ring.most = Math.max(ring.most, length);
      ring.occupancy.add(length);
      this.#unreset += length;
      return length;
    });
  }

  /**
   * Harvests one ring.
   *
   * @param id The vCPU whose ring it is.
   * @returns Its entries, valid until its next harvest.
   */
  protected take(id: number): Entries {
    const { harvester } = this.lab.vcpus[id]!;
    return this.#sort ? harvester.takeSorted() : harvester.take();
  }

  /**
   * Resets all rings, and holds what that returns against what was harvested.
   *
   * @param harvested Entries harvested since the last reset.
   */
  protected reset(harvested: number): void {
    const { problem, isShort } = resetHarvested(this.lab.vm, harvested, ({ count, ns }) => {
      this.resetNs.add(ns);
      this.resetEntries += count;
    });
    if (problem !== null) this.problems.add(problem);
    if (isShort) this.witness.noteShortReset();
  }
}

function since(started: number): number {
  return Math.round((performance.now() - started) * 1e6);
}
