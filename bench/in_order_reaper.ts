import type { Lab } from "../lab/lab.ts";
import { Reaper } from "../lab/reaper.ts";
import type { Entries } from "../ring/entries.ts";
import { ENTRY_WORDS, OFFSET, SLOT } from "../ring/entry.ts";
import type { Witness } from "../ring/witness.ts";

/**
 * A harvester that holds every entry against what its vCPU stored. An entry read before it was published would
 * have a stale slot or offset, of an earlier turn of the ring.
 *
 * Each entry must be the next page of the vCPU's list, or the last one again: a store that a full ring or a kick
 * cut off is pushed once more (`push.once-more-after-full` of docs/abi.md). So the list must have no page twice
 * within what a ring holds.
 */
export class InOrderReaper extends Reaper {
  readonly #next: number[];
  /** Entries held against the list. */
  compared = 0;
  /** Entries that repeat the one before. */
  repeated = 0;

  /**
   * Begins where each vCPU's list does.
   *
   * @param lab The lab.
   * @param witness What remembers the pages read.
   */
  constructor(lab: Lab, witness: Witness) {
    super(lab, witness, { sort: false });
    this.#next = lab.vcpus.map(() => 0);
  }

  /**
   * Harvests one ring, and compares.
   *
   * @param id The vCPU whose ring it is.
   * @returns Its entries, valid until its next harvest.
   */
  protected override take(id: number): Entries {
    const entries = super.take(id);
    const { pages, plan, vcpus } = this.lab;
    const { first, stores } = vcpus[id]!;
    const { words, length } = entries;
    let next = this.#next[id]!;
    for (let n = 0, at = 0; n < length; n++, at += ENTRY_WORDS) {
      const page = pages.find(words[at + SLOT]!, words[at + OFFSET]!, words[at + OFFSET + 1]!);
      if (page === plan.sequence[first + next % stores]) {
        next++;
      } else if (next > 0 && page === plan.sequence[first + (next - 1) % stores]) {
        this.repeated++;
      } else {
        this.problems.add(
          `vCPU ${id}: entry ${this.compared + n} names page ${page}, and the vCPU stores to ` +
            `${plan.sequence[first + next % stores]} next`,
        );
        next++;
      }
    }
    this.#next[id] = next;
    this.compared += length;
    return entries;
  }
}
