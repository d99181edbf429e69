import { nanosecondsSince } from "../ffi/linux.ts";
import type { DirtyTracker, Rearmed, Take } from "../machine/dirty_tracker.ts";
import type { RingTracker } from "../machine/ring_tracker.ts";
import type { DirtySet } from "../memory/page_sets.ts";
import type { Witness } from "../memory/witness.ts";
import type { Entries, LoggedPages } from "../ring/entry.ts";

/** Problems beyond this number are counted, but not described. */
const LISTED = 20;

/** The failed checks, in words: the first twenty, and the number of the others. */
export class Problems {
  readonly #listed: string[] = [];
  #count = 0;

  /** The number of all problems. */
  get count(): number {
    return this.#count;
  }

  /** The problems in words. */
  get list(): readonly string[] {
    const more = this.#count - this.#listed.length;
    return more === 0 ? this.#listed : [...this.#listed, `and ${more} more of the kind`];
  }

  /**
   * Adds a problem.
   *
   * @param text The check that failed, in words.
   */
  add(text: string): void {
    if (this.#count++ < LISTED) this.#listed.push(text);
  }
}

/**
 * The problem text for a reset that did not return the expected count.
 *
 * @param returned Entries that `KVM_RESET_DIRTY_RINGS` returned.
 * @param entries The expected count.
 * @param what What the expected count consists of.
 */
export function resetProblem(
  returned: number,
  entries: number,
  what: "were harvested" | "are reset",
): string {
  return `KVM_RESET_DIRTY_RINGS returned ${returned}, but ${entries} entries ${what}`;
}

/** Options of a cycle. */
export interface CycleOptions {
  /** How each ring is harvested; in ring order unless given. */
  readonly take?: Take;
  /** The most resets that are made when one returns too few entries; eight unless given. */
  readonly mostResets?: number;
}

/**
 * The most resets for one harvest: a kernel that never resets all entries must not cause an endless
 * loop.
 */
const MOST_RESETS = 8;

/**
 * The harvest cycle: learn which pages are dirty, re-protect them, compare the kernel's count with
 * what was learned, and only then read the pages. A difference is reported as a problem, in words.
 * Rounds, live runs, checkpoints and the sweeps of `bench` all take these steps, whatever tracks
 * the pages. They are separate methods so that a vCPU whose ring was full can resume between
 * re-protecting and reading.
 *
 * Only one caller at a time may harvest and reset. Two places do not use this class: the thread of
 * a vCPU that empties its own ring (`drive/vcpu_thread.ts`), and the conformance checks, which must
 * be able to do it wrong (`conformance/kit/machine.ts`).
 */
export class HarvestCycle<Tracker extends DirtyTracker = DirtyTracker> {
  readonly #take: Take | undefined;
  readonly #mostResets: number;
  // Entries learned that have not been reset yet. After a failed reset they are of more than one
  // harvest.
  #due = 0;
  #isShort = false;
  /** The source of the dirty pages: rings or bitmaps. */
  readonly tracker: Tracker;
  /** The checks that failed. */
  readonly problems: Problems = new Problems();
  /** Duration of the last {@linkcode HarvestCycle.learn}, in nanoseconds. */
  learnNs = 0;

  /**
   * Creates a cycle over a tracker.
   *
   * @param tracker The source of the dirty pages: rings or bitmaps.
   */
  constructor(tracker: Tracker, options: CycleOptions = {}) {
    this.tracker = tracker;
    this.#take = options.take;
    this.#mostResets = options.mostResets ?? MOST_RESETS;
  }

  /** Entries learned that have not been reset yet. */
  get due(): number {
    return this.#due;
  }

  /**
   * Learns which pages are dirty: harvests rings, or gets the bitmaps.
   *
   * @param ids The vCPUs whose rings are harvested.
   * @returns The number of entries, or of pages, that were found.
   * @throws {KernelError} If the kernel refuses.
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
   * @throws {KernelError} If the kernel refuses.
   */
  learnInto(pages: DirtySet, logged: LoggedPages, ids: readonly number[]): void {
    this.learn(ids);
    this.tracker.addTo(pages, logged, (id, count) => {
      this.problems.add(`${count} entries of vCPU ${id}'s ring name no logged page`);
    });
  }

  /**
   * Re-protects what was learned, and compares the kernel's count with it. If the kernel reset
   * fewer entries, which should never happen with signals blocked, the other entries are still in
   * the ring, and further resets are made for them.
   *
   * @param note Receives the answer of each reset.
   * @throws {KernelError} If the kernel refuses.
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
   * Reads the pages that were learned last, once their rings are re-protected. Each harvest is read
   * only once.
   *
   * @param witness Remembers the pages that were read.
   * @param look Reads the pages of a ring's entries; it is expected to call the witness.
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
   * Reports a vCPU that stopped with a full ring from which nothing could be harvested: it cannot
   * run on.
   */
  noteWedged(id: number): void {
    this.problems.add(
      `vCPU ${id} stopped with KVM_EXIT_DIRTY_RING_FULL, but its ring brought no entry: it ` +
        "overflowed, and an in-order harvest cannot go on",
    );
  }

  /**
   * Checks that the rings are empty. Call it when all vCPUs stand still and everything is learned
   * and re-protected.
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
          `vCPU ${id}'s ring holds ${harvested} harvested entries that were not reset`,
        );
      }
    }
    return overflowed;
  }
}
