// Trackers that are broken on purpose. The comparison with the replica has to detect each of them.
import { RingTracker } from "../../machine/ring_tracker.ts";
import { DirtySet } from "../../memory/page_sets.ts";
import type { LoggedPages } from "../../ring/entry.ts";

type Stray = Parameters<RingTracker["addTo"]>[2];

/** Drops the first page of each harvest. */
export class DropsAPage extends RingTracker {
  override addTo(pages: DirtySet, logged: LoggedPages, stray: Stray): void {
    const found = new DirtySet(logged.total);
    super.addTo(found, logged, stray);
    for (const page of found.sorted().subarray(1)) pages.add(page);
  }
}

/** Re-protects pages too late, at the next harvest: by then they were copied and stored to again. */
export class CopiesBeforeRearming extends RingTracker {
  #isDue = false;
  #due = 0;

  override learn(ids: readonly number[]): number {
    if (this.#isDue) super.rearm();
    this.#isDue = false;
    return this.#due = super.learn(ids);
  }

  override rearm(): { readonly count: number; readonly ns: number } {
    this.#isDue = true;
    return { count: this.#due, ns: 0 };
  }
}

/** Never finds a page, as if each ring had overflowed. */
export class FindsNothing extends RingTracker {
  override learn(): number {
    return 0;
  }
}
