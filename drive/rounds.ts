// Rounds of a VM whose vCPUs run on the calling thread.
import { nanosecondsSince } from "../ffi/linux.ts";
import type { Interrupt } from "../host/interrupt.ts";
import type { Rearmed, Take } from "../machine/dirty_tracker.ts";
import type { RingVm } from "../machine/guest_vm.ts";
import type { RingTracker } from "../machine/ring_tracker.ts";
import { PageSet } from "../memory/page_sets.ts";
import type { Witness } from "../memory/witness.ts";
import { type Entries, ENTRY_WORDS, type LoggedPages, OFFSET, SLOT } from "../ring/entry.ts";
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
  /** The sum of what those calls returned. */
  readonly reset: number;
  /** Nanoseconds spent in `KVM_RUN`. */
  readonly guestNs: number;
  /** Nanoseconds spent harvesting, and sorting if that is done. */
  readonly harvestNs: number;
  /** Nanoseconds spent in `KVM_RESET_DIRTY_RINGS`. */
  readonly resetNs: number;
}

/** The pages that the entries of a run name: of each ring, and of all. */
export class NamedPages {
  readonly #pages: LoggedPages;
  /** Those of each ring, by vCPU. */
  readonly rings: readonly PageSet[];
  /** Those of all rings. */
  readonly all: PageSet;

  /**
   * Begins with no pages.
   *
   * @param pages The logged slots.
   * @param vcpus How many rings there are.
   */
  constructor(pages: LoggedPages, vcpus: number) {
    this.#pages = pages;
    this.rings = Array.from({ length: vcpus }, () => new PageSet(pages.total));
    this.all = new PageSet(pages.total);
  }

  /** Adds the pages that entries of a ring name; those that name no logged page are left out. */
  add(vcpu: number, { words, length }: Entries): void {
    const ring = this.rings[vcpu]!;
    for (let at = 0; at < length * ENTRY_WORDS; at += ENTRY_WORDS) {
      const page = this.#pages.find(
        words[at + SLOT]!,
        words[at + OFFSET]!,
        words[at + OFFSET + 1]!,
      );
      if (page >= 0 && ring.add(page)) this.all.add(page);
    }
  }
}

/** Observers of a round's entries. Their work is not part of the measured times. */
export interface Observers {
  /**
   * One for each vCPU. It receives each window, which is the entries of one ring in one reset call.
   */
  readonly statistics?: readonly RingStatistics[];
  /** One for each vCPU, and one for all: the pages that entries name. */
  readonly named?: NamedPages;
  /** Reads the harvested pages after each reset. */
  readonly witness?: Witness;
  /**
   * Ends the round early. A signal that arrives outside `KVM_RUN` interrupts no call; it is noticed
   * later, between two runs of a vCPU.
   */
  readonly interrupt?: Interrupt;
}

/**
 * Runs rounds on a VM: run, harvest, reset, and only then read the pages, so that no store is lost.
 */
export class Rounds {
  readonly #lab: RingVm;
  readonly #driver: InlineDriver;
  readonly #observers: Observers;
  readonly #cycle: HarvestCycle<RingTracker>;
  readonly #ids: readonly number[];
  #state: "going" | "interrupted" | "wedged" = "going";
  // The figures of the current round so far.
  #figures = emptyRound();
  // The vCPU that makes its stores now, with the stores of its block.
  #running: { readonly id: number; readonly stores: number } | null = null;

  /**
   * Prepares the first round.
   *
   * @param observers Who looks at the entries.
   * @param take How each ring is harvested; in ring order unless given.
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
    // A reset that returns too few entries is a result here, so it is not repeated.
    const options = { mostResets: 1, ...(take === undefined ? {} : { take }) };
    this.#cycle = new HarvestCycle(lab.tracker, options);
    this.#ids = lab.vcpus.map((_, id) => id);
  }

  /** The checks that failed: counts that differ, rings that lost entries. */
  get problems(): readonly string[] {
    return this.#cycle.problems.list;
  }

  /** Whether another round can follow: not after an interrupt, nor once a ring is wedged. */
  get state(): "going" | "interrupted" | "wedged" {
    return this.#state;
  }

  /**
   * The stores of the current round so far. Asks the vCPU that makes its stores now, which must not
   * be within `KVM_RUN`.
   *
   * @throws {KernelError} If its registers cannot be read.
   */
  storesSoFar(): number {
    const running = this.#running;
    const made = running === null ? 0 : running.stores - this.#lab.remaining(running.id);
    return this.#figures.stores + made;
  }

  /**
   * Runs a round.
   *
   * @returns Its figures; only those of a part of it if an interrupt or a wedged ring ended it
   * early.
   */
  async round(): Promise<RoundResult> {
    this.#figures = emptyRound();
    const stored: Uint32Array[] = [];
    for (const [id, { first, stores }] of this.#lab.vcpus.entries()) {
      this.#lab.begin(id, first, stores);
      this.#running = { id, stores };
      await this.#runToEnd(id);
      this.#running = null;
      const made = stores - this.#lab.remaining(id);
      this.#figures.stores += made;
      stored.push(this.#lab.storedTo(id, made));
      if (this.#state !== "going") break;
    }
    await this.#harvestAndReset();
    // Checks only the pages that were stored to: an interrupted run must not wait for pages that
    // nobody touched.
    for (const pages of stored) {
      this.#observers.witness?.check(pages);
      await this.#breathe();
    }
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
      await this.#harvestAndReset();
      if (this.#cycle.tracker.learnedOf(id) === before) {
        this.#cycle.noteWedged(id);
        this.#observers.witness?.noteOverflow(id);
        this.#state = "wedged";
        return;
      }
    }
  }

  // Harvests all rings, resets, and only then reads the pages. Each of that may take long, so that
  // signals are noticed between: what follows is made all the same.
  async #harvestAndReset(): Promise<void> {
    const cycle = this.#cycle;
    this.#figures.entries += cycle.learn(this.#ids);
    this.#figures.harvestNs += cycle.learnNs;
    await this.#breathe();
    cycle.rearm(this.#noteReset);
    await this.#breathe();
    const { statistics, named, witness } = this.#observers;
    if (statistics !== undefined) {
      for (const { id, entries } of cycle.tracker.fresh) statistics[id]!.addWindow(entries);
      await this.#breathe();
    }
    if (named !== undefined) {
      for (const { id, entries } of cycle.tracker.fresh) named.add(id, entries);
      await this.#breathe();
    }
    if (witness !== undefined) cycle.read(witness, (_, entries) => witness.read(entries));
  }

  // Gives the event loop a turn if one is due.
  async #breathe(): Promise<void> {
    const { interrupt } = this.#observers;
    if (interrupt?.isDue) await interrupt.pause();
  }

  readonly #noteReset = ({ count, ns }: Rearmed): void => {
    this.#figures.resets++;
    this.#figures.reset += count ?? 0; // for rings it is never `null`
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
