import { checked } from "../ffi/errors.ts";
import { pageModificationLogging } from "../host/facts.ts";
import type { Rearmed } from "../machine/dirty_tracker.ts";
import type { RingVm } from "../machine/guest_vm.ts";
import type { HarvestedRing, RingTracker } from "../machine/ring_tracker.ts";
import { PageSet } from "../memory/page_sets.ts";
import { isOrdered, PushOrder } from "../memory/push_order.ts";
import type { Witness } from "../memory/witness.ts";
import { Distribution } from "../ring/distribution.ts";
import type { Entries } from "../ring/entry.ts";
import type { HandedRing, HandOver } from "./hand_over.ts";
import { HarvestCycle, type Problems, resetProblem } from "./harvest_cycle.ts";
import type { LiveVcpus } from "./live_vcpus.ts";

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
 * Harvests rings while their vCPUs run, resets them, and only then reads their pages. One harvests and
 * resets at a time, so that what `KVM_RESET_DIRTY_RINGS` returns must be what was harvested since the last: this, or
 * the thread of a vCPU whose ring is full, which hands over what it harvested.
 *
 * The two halves are apart so that a vCPU whose ring was full can run on between them: `reap()`, resume,
 * `inspect()`.
 */
export class Reaper {
  /** The lab. */
  protected readonly lab: RingVm;
  /** What remembers the pages read. */
  protected readonly witness: Witness;
  /** The steps that it takes. */
  readonly cycle: HarvestCycle<RingTracker>;
  /** The rings, by vCPU. */
  readonly rings: readonly ReapedRing[];
  /** Times of harvests, nanoseconds, the sorting included. */
  readonly harvestNs: Distribution = new Distribution();
  /** Times of `KVM_RESET_DIRTY_RINGS`, nanoseconds. */
  readonly resetNs: Distribution = new Distribution();
  /** Entries that all resets returned. */
  resetEntries = 0;
  readonly #sort: boolean;
  #vcpus: LiveVcpus | null = null;
  #handOvers: readonly HandOver[] | null = null;
  // Up to where the rings handed over come before what was harvested last.
  #heads: readonly number[] = [];
  /** Full exits that vCPUs' own threads served, by vCPU. */
  readonly servedByThreads: number[];
  /** Times from a full exit until the vCPU ran again, whoever served it, nanoseconds. */
  readonly servedNs: Distribution = new Distribution();
  /** What holds entries against the order of the stores; `null` where that cannot be told. */
  readonly orders: readonly PushOrder[] | null;

  /**
   * Makes ready.
   *
   * @param witness What remembers the pages read.
   * @param options How it harvests.
   */
  constructor(lab: RingVm, witness: Witness, options: ReaperOptions) {
    this.lab = lab;
    this.witness = witness;
    this.#sort = options.sort;
    this.cycle = new HarvestCycle(lab.tracker, { take: (_, id) => this.take(id) });
    this.servedByThreads = lab.vcpus.map(() => 0);
    this.orders = options.sort ? null : pushOrders(lab);
    this.rings = lab.vcpus.map(() => ({
      entries: 0,
      most: 0,
      occupancy: new Distribution(),
      pages: new PageSet(lab.pages.total),
    }));
  }

  /** What did not hold. */
  get problems(): Problems {
    return this.cycle.problems;
  }

  /** The entries harvested last, not inspected yet, with their vCPUs. */
  protected get fresh(): readonly HarvestedRing[] {
    return this.cycle.tracker.fresh;
  }

  /**
   * Says who runs the vCPUs, before the first harvest.
   *
   * @param handOvers Where each one's thread puts what it harvests itself; `null` where none does.
   */
  attach(vcpus: LiveVcpus, handOvers: readonly HandOver[] | null): void {
    this.#vcpus = vcpus;
    this.#handOvers = handOvers;
  }

  /**
   * Harvests rings, all that is dirty in them, and resets.
   *
   * @param ids The vCPUs whose rings they are.
   * @returns Entries harvested of each.
   * @throws {KernelError} Where the kernel fails the reset.
   */
  reap(ids: readonly number[]): readonly number[] {
    const work = () => {
      const harvested = this.harvest(ids);
      this.reset();
      return harvested;
    };
    return this.#vcpus === null ? work() : this.#vcpus.exclusively(work);
  }

  /**
   * Reads the pages that were reaped last, and those of rings that were handed over before.
   *
   * @throws {KernelError} Where a thread's reset failed.
   */
  inspect(): void {
    this.#takeHanded(this.#heads);
    this.cycle.read(this.witness, this.#look);
  }

  /**
   * Reads the pages of rings that were handed over. Nothing that was reaped is to wait for its inspection.
   *
   * @throws {KernelError} Where a thread's reset failed.
   */
  collect(): void {
    if (this.#handOvers !== null) this.#takeHanded(this.#handOvers.map(({ head }) => head));
  }

  #takeHanded(heads: readonly number[]): void {
    this.#handOvers?.forEach((handOver, id) => {
      for (const handed of handOver.take(heads[id]!)) this.#noteHanded(id, handed);
    });
  }

  #noteHanded(id: number, { entries, reset, harvestNs, resetNs, stopNs }: HandedRing): void {
    this.harvestNs.add(harvestNs);
    this.resetNs.add(resetNs);
    this.#count(id, entries.length);
    this.witness.beginHarvest();
    this.#look(id, entries);
    checked(reset, "KVM_RESET_DIRTY_RINGS");
    this.resetEntries += reset;
    if (reset === entries.length) {
      this.servedByThreads[id]!++;
      this.servedNs.add(stopNs);
      return;
    }
    // The vCPU stands still: it is served, and counted, like any other.
    this.problems.add(resetProblem(reset, entries.length, "were harvested"));
    if (reset < entries.length) this.witness.noteShortReset();
  }

  readonly #look = (id: number, entries: Entries): void => {
    this.witness.read(entries, this.rings[id]!.pages);
    this.orders?.[id]?.compare(entries);
  };

  #count(id: number, entries: number): void {
    const ring = this.rings[id]!;
    ring.entries += entries;
    ring.most = Math.max(ring.most, entries);
    ring.occupancy.add(entries);
  }

  /**
   * Harvests rings.
   *
   * @param ids The vCPUs whose rings they are.
   * @returns Entries harvested of each.
   */
  protected harvest(ids: readonly number[]): readonly number[] {
    this.inspect(); // what a failed reset has left
    this.#heads = this.#handOvers?.map(({ head }) => head) ?? [];
    this.cycle.learn(ids);
    this.harvestNs.add(this.cycle.learnNs);
    return this.fresh.map(({ id, entries: { length } }) => {
      this.#count(id, length);
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
    const { harvester } = this.cycle.tracker.rings[id]!;
    if (this.#sort) return harvester.takeSorted();
    const handOver = this.#handOvers?.[id];
    if (handOver !== undefined) harvester.seek(handOver.fetchIndex);
    const entries = harvester.take();
    if (handOver !== undefined) handOver.fetchIndex = harvester.fetchIndex;
    return entries;
  }

  /** Resets all rings, and holds what that returns against what was harvested since the last. */
  protected reset(): void {
    this.cycle.rearm(this.#noteReset);
  }

  readonly #noteReset = ({ count, ns }: Rearmed): void => {
    this.resetNs.add(ns);
    this.resetEntries += count ?? 0; // of rings it is never `null`
  };
}

/**
 * What holds each ring's entries against the stores of its vCPU, where they come in that order.
 *
 * @returns One for each vCPU, or `null` where the order cannot be told: pages that come again within a ring's worth of
 * stores, pages that vCPUs share, or a processor that logs pages in a buffer of its own (PML).
 */
function pushOrders(lab: RingVm): readonly PushOrder[] | null {
  if (pageModificationLogging(lab.vm.kernel, lab.kernel.module) === true) return null;
  const { sequence, options } = lab.plan;
  const lists = lab.vcpus.map(({ first, stores }) => sequence.subarray(first, first + stores));
  if (!isOrdered(lists, options.ring, lab.pages.total)) return null;
  return lists.map((list) => new PushOrder(list, lab.pages));
}
