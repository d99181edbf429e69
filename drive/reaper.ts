// Harvests the rings of a live run while its vCPUs run.
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
import { Samples } from "../ring/samples.ts";
import type { HandedRing, HandOver } from "./hand_over.ts";
import { HarvestCycle, type Problems, resetProblem } from "./harvest_cycle.ts";
import type { LiveVcpus } from "./live_vcpus.ts";

/** What was harvested from one ring. */
export interface ReapedRing {
  /** Entries harvested in all. */
  entries: number;
  /** The most entries that one harvest found since this was last reported. */
  most: number;
  /** The number of entries that each harvest found. */
  readonly occupancy: Distribution;
  /** The pages that the entries named. */
  readonly pages: PageSet;
}

/** Options of a reaper. */
export interface ReaperOptions {
  /** Whether entries are sorted in the ring before they are marked as harvested. */
  readonly sort: boolean;
}

/**
 * Harvests rings while their vCPUs run, resets them, and only then reads their pages. Only one
 * thread at a time harvests and resets, so `KVM_RESET_DIRTY_RINGS` must return exactly what was
 * harvested since the last reset. That thread is the harvester's, or that of a vCPU whose ring is
 * full; the latter hands over what it harvested.
 *
 * The two halves are separate so that a vCPU whose ring was full can resume between them: `reap()`,
 * resume, `inspect()`.
 */
export class Reaper {
  /** The lab. */
  protected readonly lab: RingVm;
  /** Remembers the pages that were read. */
  protected readonly witness: Witness;
  /** The harvest cycle that it uses. */
  readonly cycle: HarvestCycle<RingTracker>;
  /** The rings, by vCPU. */
  readonly rings: readonly ReapedRing[];
  /** Durations of harvests in nanoseconds, sorting included. */
  readonly harvestNs: Distribution = new Distribution();
  /** Durations of `KVM_RESET_DIRTY_RINGS` in nanoseconds. */
  readonly resetNs: Distribution = new Distribution();
  /** Some durations of harvests, in nanoseconds per entry. */
  readonly harvestNsPerEntry: Samples = new Samples();
  /** Some durations of `KVM_RESET_DIRTY_RINGS`, in nanoseconds per entry. */
  readonly resetNsPerEntry: Samples = new Samples();
  /** The sum of what all resets returned. */
  resetEntries = 0;
  readonly #sort: boolean;
  #vcpus: LiveVcpus | null = null;
  #handOvers: readonly HandOver[] | null = null;
  // The heads of the hand-over queues at the last harvest: rings up to these were emptied before
  // it.
  #heads: readonly number[] = [];
  /** Full exits for which the vCPU's own thread emptied the ring, by vCPU. */
  readonly servedByThreads: number[];
  /** Nanoseconds from a full exit until the vCPU ran again, whoever emptied the ring. */
  readonly servedNs: Distribution = new Distribution();
  /** Some of these times. */
  readonly servedSamples: Samples = new Samples();
  /**
   * Compares the entries with the order of the stores; `null` if that order cannot be predicted.
   */
  readonly orders: readonly PushOrder[] | null;

  /**
   * Creates a reaper; it can harvest once {@linkcode Reaper.attach} was called, or alone while no
   * vCPU runs.
   *
   * @param witness Remembers the pages that were read.
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

  /** The checks that failed. */
  get problems(): Problems {
    return this.cycle.problems;
  }

  /** The entries of the last harvest, with their vCPUs. They are not inspected yet. */
  protected get fresh(): readonly HarvestedRing[] {
    return this.cycle.tracker.fresh;
  }

  /**
   * Tells the reaper who runs the vCPUs. Call it before the first harvest.
   *
   * @param handOvers The queue in which each vCPU's thread puts what it harvests itself; `null` if
   * no thread does so.
   */
  attach(vcpus: LiveVcpus, handOvers: readonly HandOver[] | null): void {
    this.#vcpus = vcpus;
    this.#handOvers = handOvers;
  }

  /**
   * Harvests all dirty entries of the rings, and resets.
   *
   * @param ids The vCPUs whose rings they are.
   * @returns Entries harvested of each.
   * @throws {KernelError} If the reset fails.
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
   * Reads the pages that were reaped last, after those of rings that were handed over before them.
   *
   * @throws {KernelError} If a thread's reset failed.
   */
  inspect(): void {
    this.#takeHanded(this.#heads);
    this.cycle.read(this.witness, this.#look);
  }

  /**
   * Reads the pages of rings that were handed over. Call it only when nothing that was reaped still
   * awaits {@linkcode Reaper.inspect}.
   *
   * @throws {KernelError} If a thread's reset failed.
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
    this.#noteHarvest(harvestNs, entries.length);
    this.#noteReset(resetNs, reset);
    this.#count(id, entries.length);
    this.witness.beginHarvest();
    this.#look(id, entries);
    checked(reset, "KVM_RESET_DIRTY_RINGS");
    this.resetEntries += reset;
    if (reset === entries.length) {
      this.servedByThreads[id]!++;
      this.noteServed(stopNs);
      return;
    }
    // The vCPU stands still after a short reset: the harvester serves and counts it like any other.
    this.problems.add(resetProblem(reset, entries.length, "were harvested"));
    if (reset < entries.length) this.witness.noteShortReset();
  }

  /**
   * Adds the time of a full stop.
   *
   * @param ns Nanoseconds from the full exit until the vCPU ran again.
   */
  noteServed(ns: number): void {
    this.servedNs.add(ns);
    this.servedSamples.add(ns);
  }

  #noteHarvest(ns: number, entries: number): void {
    this.harvestNs.add(ns);
    if (entries > 0) this.harvestNsPerEntry.add(ns / entries);
  }

  #noteReset(ns: number, entries: number): void {
    this.resetNs.add(ns);
    if (entries > 0) this.resetNsPerEntry.add(ns / entries);
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
    this.inspect(); // what a failed reset left behind
    this.#heads = this.#handOvers?.map(({ head }) => head) ?? [];
    const found = this.cycle.learn(ids);
    this.#noteHarvest(this.cycle.learnNs, found);
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

  /** Resets all rings, and compares the count with what was harvested since the last reset. */
  protected reset(): void {
    this.cycle.rearm(this.#noteRearmed);
  }

  readonly #noteRearmed = ({ count, ns }: Rearmed): void => {
    const entries = count ?? 0; // for rings it is never `null`
    this.#noteReset(ns, entries);
    this.resetEntries += entries;
  };
}

/**
 * Makes the checks that each ring's entries come in the order of its vCPU's stores, if that can be
 * predicted.
 *
 * @returns One for each vCPU, or `null` if the order cannot be predicted: a page comes again within
 * a ring's worth of stores, vCPUs share pages, or the processor logs pages in a buffer of its own
 * (PML).
 */
function pushOrders(lab: RingVm): readonly PushOrder[] | null {
  if (pageModificationLogging(lab.vm.kernel, lab.kernel.module) === true) return null;
  const { sequence, options } = lab.plan;
  const lists = lab.vcpus.map(({ first, stores }) => sequence.subarray(first, first + stores));
  if (!isOrdered(lists, options.ring, lab.pages.total)) return null;
  return lists.map((list) => new PushOrder(list, lab.pages));
}
