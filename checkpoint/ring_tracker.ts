import type { DirtySet } from "../ring/dirty_set.ts";
import { warmHarvest } from "../ring/warm_harvest.ts";
import type { DirtyTracker } from "./dirty_tracker.ts";
import type { Lab } from "../lab/lab.ts";
import { Problems } from "../lab/problems.ts";
import { resetHarvested } from "../live/reset_harvested.ts";

/** Dirty pages tracked in the vCPUs' rings: to learn is to harvest, to re-arm is `KVM_RESET_DIRTY_RINGS`. */
export class RingTracker implements DirtyTracker {
  readonly #lab: Lab;
  readonly #ids: readonly number[];
  /** Entries harvested, by vCPU. */
  readonly #entries: Float64Array<ArrayBuffer>;
  /** Entries of all rings that are harvested and not reset yet. */
  #held = 0;
  /** What did not hold. */
  readonly problems: Problems = new Problems();
  /** A full ring stops its vCPU, and entries can be harvested at any time. */
  readonly holdsBack = true;

  /**
   * Makes ready.
   *
   * @param lab The machine, with its rings.
   */
  constructor(lab: Lab) {
    this.#lab = lab;
    this.#ids = lab.vcpus.map((_, id) => id);
    this.#entries = new Float64Array(lab.vcpus.length);
    warmHarvest(lab.vm.kernel.insight === null ? lab.vcpus.map(({ ring }) => ring.words) : []);
  }

  /**
   * Harvests rings, all that is dirty in them.
   *
   * @param pages Gets the pages.
   * @param ids The vCPUs whose rings are harvested; all unless given.
   */
  learn(pages: DirtySet, ids: readonly number[] = this.#ids): void {
    for (const id of ids) {
      const entries = this.#lab.vcpus[id]!.harvester.take();
      this.#entries[id]! += entries.length;
      this.#held += entries.length;
      const strays = pages.addEntries(entries, this.#lab.pages);
      if (strays > 0) {
        this.problems.add(`${strays} entries of vCPU ${id}'s ring name no logged page`);
      }
    }
  }

  /**
   * Resets all rings, and holds what that returns against what was harvested.
   *
   * @throws {KernelError} Where the kernel fails the reset.
   */
  rearm(): void {
    const { problem } = resetHarvested(this.#lab.vm, this.#held);
    this.#held = 0;
    if (problem !== null) this.problems.add(problem);
  }

  /**
   * Entries harvested of a vCPU's ring since the beginning.
   *
   * @param id The vCPU.
   * @returns Entries.
   */
  learnedOf(id: number): number {
    return this.#entries[id]!;
  }

  /** Looks for entries that an in-order harvest does not reach. */
  conclude(): void {
    this.#lab.vcpus.forEach(({ harvester: { held } }, id) => {
      if (held === 0) return;
      this.problems.add(
        `vCPU ${id}'s ring holds ${held} entries that an in-order harvest does not reach: it overflowed`,
      );
    });
  }

  /** There is nothing of its own to give back. */
  [Symbol.dispose](): void {}
}
