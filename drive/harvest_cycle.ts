import { nanosecondsSince } from "../ffi/linux.ts";
import type { DirtyTracker, Rearmed, Take } from "../machine/dirty_tracker.ts";
import type { RingTracker } from "../machine/ring_tracker.ts";
import type { DirtySet } from "../memory/page_sets.ts";
import type { Witness } from "../memory/witness.ts";
import type { Entries, LoggedPages } from "../ring/entry.ts";

/** Problems beyond this number are counted and not described. */
const LISTED = 20;

/** What did not hold, in words: the first twenty, and how many more there are. */
export class Problems {
  readonly #listed: string[] = [];
  #count = 0;

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** Them in words. */
  get list(): readonly string[] {
    const more = this.#count - this.#listed.length;
    return more === 0 ? this.#listed : [...this.#listed, `and ${more} more of the kind`];
  }

  /**
   * Adds one.
   *
   * @param text What did not hold.
   */
  add(text: string): void {
    if (this.#count++ < LISTED) this.#listed.push(text);
  }
}

/**
 * What is told of a reset that did not return what it should have.
 *
 * @param returned Entries that `KVM_RESET_DIRTY_RINGS` returned.
 * @param entries Entries that it should have returned.
 * @param what What they are.
 */
export function resetProblem(
  returned: number,
  entries: number,
  what: "were harvested" | "are reset",
): string {
  return `KVM_RESET_DIRTY_RINGS returned ${returned}, but ${entries} entries ${what}`;
}

/** How a cycle goes. */
export interface CycleOptions {
  /** How each ring is harvested; as it comes unless given. */
  readonly take?: Take;
  /** Resets that are made at most where one takes back too little; eight unless given. */
  readonly mostResets?: number;
}

/** A reset that takes back too little is repeated at most this often, so that nothing waits for ever. */
const MOST_RESETS = 8;

/**
 * One harvest cycle: learn which pages are dirty, re-arm them, hold what the kernel took back against what was
 * learned, and only then read the pages; what does not hold is told in words. Rounds, live runs, checkpoints and the
 * sweeps of `bench` all take these steps, over whatever tracks the pages. They are apart so that a vCPU whose ring
 * was full can run on between re-arming and reading.
 *
 * One harvests and resets at a time. The thread of a vCPU that empties its own ring stands apart
 * (`drive/vcpu_thread.ts`), and so do the checks, which must be able to do it wrong (`conformance/kit/machine.ts`).
 */
export class HarvestCycle<Tracker extends DirtyTracker = DirtyTracker> {
  readonly #take: Take | undefined;
  readonly #mostResets: number;
  // Entries learned that no reset has taken back yet: more than one harvest's where a reset failed.
  #due = 0;
  #isShort = false;
  /** What knows the dirty pages. */
  readonly tracker: Tracker;
  /** What did not hold. */
  readonly problems: Problems = new Problems();
  /** Nanoseconds of the last {@linkcode HarvestCycle.learn}. */
  learnNs = 0;

  /**
   * Makes ready.
   *
   * @param tracker What knows the dirty pages.
   */
  constructor(tracker: Tracker, options: CycleOptions = {}) {
    this.tracker = tracker;
    this.#take = options.take;
    this.#mostResets = options.mostResets ?? MOST_RESETS;
  }

  /** Entries learned since the last reset. */
  get due(): number {
    return this.#due;
  }

  /**
   * Learns which pages are dirty: harvests rings, or gets the bitmaps.
   *
   * @param ids The vCPUs whose rings are harvested.
   * @returns Entries, or pages, that were found.
   * @throws {KernelError} Where the kernel refuses.
   */
  learn(ids: readonly number[]): number {
    const started = performance.now();
    const found = this.tracker.learn(ids, this.#take);
    this.learnNs = nanosecondsSince(started);
    this.#due += found;
    return found;
  }

  /**
   * Learns which pages are dirty, and adds them to a set.
   *
   * @param logged Which page an entry names.
   * @param ids The vCPUs whose rings are harvested.
   * @throws {KernelError} Where the kernel refuses.
   */
  learnInto(pages: DirtySet, logged: LoggedPages, ids: readonly number[]): void {
    this.learn(ids);
    this.tracker.addTo(pages, logged, (id, count) => {
      this.problems.add(`${count} entries of vCPU ${id}'s ring name no logged page`);
    });
  }

  /**
   * Re-arms what was learned, and holds what the kernel took back against that. Where it is less, as it should never
   * be with signals blocked, the rest of the entries is still there, and is taken back by further resets.
   *
   * @param note Gets the answer of each reset.
   * @throws {KernelError} Where the kernel refuses.
   */
  rearm(note?: (answer: Rearmed) => void): void {
    const due = this.#due;
    const first = this.tracker.rearm();
    note?.(first);
    this.#isShort = false;
    if (first.count === null || first.count === due) {
      this.#due = 0;
      return;
    }
    let left = due - first.count;
    for (let n = 1; left > 0 && n < this.#mostResets; n++) {
      const answer = this.tracker.rearm();
      note?.(answer);
      left -= answer.count!; // of a ring, as the first was
    }
    this.#due = 0;
    this.#isShort = first.count < due;
    this.problems.add(resetProblem(first.count, due, "were harvested"));
  }

  /**
   * Reads the pages that were learned last, of rings that are re-armed. Nothing is read twice.
   *
   * @param witness What remembers the pages read.
   * @param look Reads the pages of a ring's entries, with the witness among others.
   */
  read(
    this: HarvestCycle<RingTracker>,
    witness: Witness,
    look: (id: number, entries: Entries) => void,
  ): void {
    const { fresh } = this.tracker;
    if (fresh.length === 0) return;
    witness.beginHarvest();
    for (const { id, entries } of fresh) look(id, entries);
    if (this.#isShort) witness.noteShortReset();
    this.#isShort = false;
    this.tracker.drop();
  }

  /**
   * Tells of a vCPU that stopped with a full ring of which nothing was learned: it cannot run on.
   */
  noteWedged(id: number): void {
    this.problems.add(
      `vCPU ${id} stopped with KVM_EXIT_DIRTY_RING_FULL, but its ring brought no entry: it ` +
        "overflowed, and an in-order harvest cannot go on",
    );
  }

  /**
   * Looks, once all vCPUs stand still and all is learned and re-armed, whether something was left behind.
   *
   * @returns The vCPUs whose rings overflowed.
   */
  conclude(): number[] {
    const overflowed: number[] = [];
    for (const [id, { dirty, harvested }] of this.tracker.left().entries()) {
      if (dirty > 0) {
        overflowed.push(id);
        this.problems.add(
          `vCPU ${id}'s ring holds ${dirty} entries that an in-order harvest does not reach: it overflowed`,
        );
      }
      if (harvested > 0) {
        this.problems.add(
          `vCPU ${id}'s ring holds ${harvested} harvested entries that no reset took back`,
        );
      }
    }
    return overflowed;
  }
}
