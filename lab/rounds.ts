import { nanosecondsSince } from "../ffi/nanoseconds.ts";
import type { Entries } from "../ring/entries.ts";
import type { Harvester } from "../ring/harvester.ts";
import type { RingStatistics } from "../ring/statistics.ts";
import type { Witness } from "../ring/witness.ts";
import type { InlineDriver } from "./inline_driver.ts";
import type { Interrupt } from "./interrupt.ts";
import type { Lab } from "./lab.ts";
import { Problems } from "./problems.ts";

/** One round: every vCPU makes the stores of its block, resuming after each full ring. */
export interface RoundResult {
  /** Stores made, over all vCPUs. */
  readonly stores: number;
  /** Entries harvested, from all rings. */
  readonly entries: number;
  /** `KVM_EXIT_DIRTY_RING_FULL` exits. */
  readonly fullExits: number;
  /** `KVM_RESET_DIRTY_RINGS` calls. */
  readonly resets: number;
  /** Entries that those calls said they reset. */
  readonly reset: number;
  /** Nanoseconds in `KVM_RUN`. */
  readonly guestNs: number;
  /** Nanoseconds in harvesting, and in sorting where that is done. */
  readonly harvestNs: number;
  /** Nanoseconds in `KVM_RESET_DIRTY_RINGS`. */
  readonly resetNs: number;
}

/** What looks at the entries of a round; nothing of it is timed. */
export interface Observers {
  /** One for each vCPU: gets each window, which is one ring's entries in one reset call. */
  readonly statistics?: readonly RingStatistics[];
  /** Reads the harvested pages after each reset. */
  readonly witness?: Witness;
  /** Ends the round early. A signal that comes outside `KVM_RUN` does not interrupt it. */
  readonly interrupt?: Interrupt;
}

/**
 * How a ring is harvested: whole, all that is dirty.
 *
 * @param harvester The ring's harvester.
 * @returns The entries taken, valid until the next harvest.
 */
export type Take = (harvester: Harvester) => Entries;

/**
 * Leaves entries in the order of the stores.
 *
 * @param harvester The ring's harvester.
 * @returns The entries taken.
 */
export function takePlain(harvester: Harvester): Entries {
  return harvester.take();
}

/**
 * Sorts entries in the ring before they are marked.
 *
 * @param harvester The ring's harvester.
 * @returns The entries taken.
 */
export function takeSorted(harvester: Harvester): Entries {
  return harvester.takeSorted();
}

/** Runs rounds on a lab: run, harvest, reset, in the order that loses nothing. */
export class Rounds {
  readonly #lab: Lab;
  readonly #driver: InlineDriver;
  readonly #observers: Observers;
  readonly #take: Take;
  readonly #problems = new Problems();
  #state: "going" | "interrupted" | "wedged" = "going";
  // The round's figures so far.
  #figures = emptyRound();

  /**
   * Makes ready for the first round.
   *
   * @param lab The lab.
   * @param driver Runs its vCPUs.
   * @param observers What looks at the entries.
   * @param take How each ring is harvested.
   */
  constructor(
    lab: Lab,
    driver: InlineDriver,
    observers: Observers = {},
    take: Take = takePlain,
  ) {
    this.#lab = lab;
    this.#driver = driver;
    this.#observers = observers;
    this.#take = take;
  }

  /** What did not hold: counts that differ, rings that lost entries. */
  get problems(): readonly string[] {
    return this.#problems.list;
  }

  /** Whether another round can follow: not after an interrupt, nor once a ring is wedged. */
  get state(): "going" | "interrupted" | "wedged" {
    return this.#state;
  }

  /**
   * Runs a round.
   *
   * @returns Its figures; those of a part of it where an interrupt or a wedged ring ended it.
   */
  async round(): Promise<RoundResult> {
    this.#figures = emptyRound();
    const stored: Uint32Array[] = [];
    for (const [id, { first, stores }] of this.#lab.vcpus.entries()) {
      this.#lab.begin(id, first, stores);
      await this.#runToEnd(id);
      const made = stores - this.#lab.remaining(id);
      this.#figures.stores += made;
      stored.push(this.#lab.storedTo(id, made));
      if (this.#state !== "going") break;
    }
    this.#harvestAndReset();
    // No more of the pattern than was stored to: an interrupt is not to wait for pages that nobody touched.
    for (const pages of stored) this.#observers.witness?.check(pages);
    return this.#figures;
  }

  async #runToEnd(id: number): Promise<void> {
    const { vcpu } = this.#lab.vcpus[id]!;
    const { interrupt } = this.#observers;
    for (;;) {
      if (interrupt?.isDue) await interrupt.pause();
      if (interrupt !== undefined && interrupt.signal !== null) {
        this.#state = "interrupted";
        return;
      }
      const started = performance.now();
      const answer = this.#driver.run(vcpu);
      const exit = typeof answer === "string" ? answer : await answer;
      this.#figures.guestNs += nanosecondsSince(started);
      if (exit === "KVM_EXIT_INTR") {
        this.#state = "interrupted";
        return;
      }
      if (exit !== "KVM_EXIT_DIRTY_RING_FULL") {
        const left = this.#lab.remaining(id);
        if (left !== 0) this.#problems.add(`vCPU ${id} ended with ${exit} and ${left} stores left`);
        return;
      }
      this.#figures.fullExits++;
      if (this.#harvestAndReset()[id] === 0) {
        this.#problems.add(
          `vCPU ${id} stopped with KVM_EXIT_DIRTY_RING_FULL, but its ring brought no entry: it ` +
            "overflowed, and an in-order harvest cannot go on",
        );
        this.#observers.witness?.noteOverflow(id);
        this.#state = "wedged";
        return;
      }
    }
  }

  // Harvests all rings, resets, and only then reads the pages. Answers the entries of each ring.
  #harvestAndReset(): number[] {
    const { vcpus, vm } = this.#lab;
    const figures = this.#figures;
    const started = performance.now();
    const taken: Entries[] = [];
    for (const { harvester } of vcpus) taken.push(this.#take(harvester));
    figures.harvestNs += nanosecondsSince(started);
    const reset = vm.resetDirtyRings();
    figures.resetNs += reset.ns;

    const counts = taken.map((entries) => entries.length);
    const total = counts.reduce((sum, count) => sum + count, 0);
    figures.resets++;
    figures.reset += reset.count;
    figures.entries += total;
    if (reset.count !== total) {
      this.#problems.add(
        `KVM_RESET_DIRTY_RINGS returned ${reset.count}, but ${total} entries were harvested`,
      );
    }
    const { statistics, witness } = this.#observers;
    if (statistics !== undefined) {
      taken.forEach((entries, id) => statistics[id]!.addWindow(entries));
    }
    if (witness !== undefined) {
      witness.beginHarvest();
      for (const entries of taken) witness.read(entries);
      if (reset.count < total) witness.noteShortReset();
    }
    return counts;
  }
}

function emptyRound() {
  return {
    stores: 0,
    entries: 0,
    fullExits: 0,
    resets: 0,
    reset: 0,
    guestNs: 0,
    harvestNs: 0,
    resetNs: 0,
  };
}
