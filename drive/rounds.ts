import { nanosecondsSince } from "../ffi/linux.ts";
import type { Interrupt } from "../host/interrupt.ts";
import type { Rearmed, Take } from "../machine/dirty_tracker.ts";
import type { RingVm } from "../machine/guest_vm.ts";
import type { RingTracker } from "../machine/ring_tracker.ts";
import type { Witness } from "../memory/witness.ts";
import type { RingStatistics } from "../ring/statistics.ts";
import { HarvestCycle } from "./harvest_cycle.ts";
import type { InlineDriver } from "./inline_driver.ts";

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

/** Runs rounds on a VM: run, harvest, reset, in the order that loses nothing. */
export class Rounds {
  readonly #lab: RingVm;
  readonly #driver: InlineDriver;
  readonly #observers: Observers;
  readonly #cycle: HarvestCycle<RingTracker>;
  readonly #ids: readonly number[];
  #state: "going" | "interrupted" | "wedged" = "going";
  // The round's figures so far.
  #figures = emptyRound();

  /**
   * Makes ready for the first round.
   *
   * @param observers What looks at the entries.
   * @param take How each ring is harvested; as it comes unless given.
   */
  constructor(
    lab: RingVm,
    driver: InlineDriver,
    observers: Observers = {},
    take?: Take,
  ) {
    this.#lab = lab;
    this.#driver = driver;
    this.#observers = observers;
    // A reset that takes back too little is a result here, and not repeated.
    const options = { mostResets: 1, ...(take === undefined ? {} : { take }) };
    this.#cycle = new HarvestCycle(lab.tracker, options);
    this.#ids = lab.vcpus.map((_, id) => id);
  }

  /** What did not hold: counts that differ, rings that lost entries. */
  get problems(): readonly string[] {
    return this.#cycle.problems.list;
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
        if (left !== 0) {
          this.#cycle.problems.add(`vCPU ${id} ended with ${exit} and ${left} stores left`);
        }
        return;
      }
      this.#figures.fullExits++;
      const before = this.#cycle.tracker.learnedOf(id);
      this.#harvestAndReset();
      if (this.#cycle.tracker.learnedOf(id) === before) {
        this.#cycle.noteWedged(id);
        this.#observers.witness?.noteOverflow(id);
        this.#state = "wedged";
        return;
      }
    }
  }

  // Harvests all rings, resets, and only then reads the pages.
  #harvestAndReset(): void {
    const cycle = this.#cycle;
    this.#figures.entries += cycle.learn(this.#ids);
    this.#figures.harvestNs += cycle.learnNs;
    cycle.rearm(this.#noteReset);
    const { statistics, witness } = this.#observers;
    if (statistics !== undefined) {
      for (const { id, entries } of cycle.tracker.fresh) statistics[id]!.addWindow(entries);
    }
    if (witness !== undefined) cycle.read(witness, (_, entries) => witness.read(entries));
  }

  readonly #noteReset = ({ count, ns }: Rearmed): void => {
    this.#figures.resets++;
    this.#figures.reset += count ?? 0; // of rings it is never `null`
    this.#figures.resetNs += ns;
  };
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
