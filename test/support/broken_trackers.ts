// Trackers that are broken on purpose: the comparison of the replica has to find each of them out.
import { RingTracker } from "../../checkpoint/ring_tracker.ts";
import type { DirtySet } from "../../ring/dirty_set.ts";
import { DirtySet as Pages } from "../../ring/dirty_set.ts";
import type { Lab } from "../../lab/lab.ts";

/** Forgets the first page of each harvest. */
export class DropsAPage extends RingTracker {
  readonly #total: number;

  constructor(lab: Lab) {
    super(lab);
    this.#total = lab.pages.total;
  }

  override learn(pages: DirtySet, ids?: readonly number[]): void {
    const found = new Pages(this.#total);
    super.learn(found, ids);
    for (const page of found.sorted().subarray(1)) pages.add(page);
  }
}

/** Re-arms pages when the next ones are learned: they have been copied, and stored to again, by then. */
export class CopiesBeforeRearming extends RingTracker {
  #isDue = false;

  override learn(pages: DirtySet, ids?: readonly number[]): void {
    if (this.#isDue) super.rearm();
    this.#isDue = false;
    super.learn(pages, ids);
  }

  override rearm(): void {
    this.#isDue = true;
  }
}

/** Finds nothing, ever: as if each ring had overflowed. */
export class FindsNothing extends RingTracker {
  override learn(): void {}
}
