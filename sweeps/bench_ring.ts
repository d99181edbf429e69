import type { Kernel } from "../ffi/kernel.ts";
import type { Entries } from "../ring/entries.ts";
import type { RingStatistics } from "../ring/statistics.ts";
import { Witness } from "../ring/witness.ts";
import { InlineDriver } from "../lab/inline_driver.ts";
import type { Interrupt } from "../lab/interrupt.ts";
import { type RingVm, ringVm } from "../lab/guest_vm.ts";
import { PageCensus } from "./page_census.ts";
import type { Plan } from "../lab/plan.ts";
import type { Take } from "../machine/dirty_tracker.ts";
import { type RoundResult, Rounds } from "../lab/rounds.ts";

/** What the parts of a bench share. */
export interface BenchSite {
  /** The kernel that answers. */
  readonly kernel: Kernel;
  /** Ends it early. */
  readonly interrupt: Interrupt;
  /** Gets what did not hold. */
  readonly problems: string[];
}

// Reads the pages after each reset, as any witness, and counts them.
class CountingWitness extends Witness {
  census: PageCensus;

  constructor(lab: RingVm) {
    super(lab.memory, lab.pages);
    this.census = new PageCensus(lab.pages, lab.plan.sequence);
  }

  override read(entries: Entries): void {
    super.read(entries);
    this.census.addEntries(entries);
  }
}

/** A guest whose dirty pages the ring tracks, for rounds whose parts are timed and all of which is checked. */
export class RingBench implements Disposable {
  /** The VM. */
  readonly lab: RingVm;
  readonly #site: BenchSite;
  readonly #what: string;
  readonly #driver: InlineDriver;
  readonly #witness: CountingWitness;

  /**
   * Makes the VM.
   *
   * @param site What it shares with others.
   * @param plan What to make.
   * @param what What is measured, for problems: `"1 GiB, 256 pages"`.
   * @throws {KernelError} Where the kernel refuses a call.
   */
  constructor(site: BenchSite, plan: Plan, what: string) {
    this.#site = site;
    this.#what = what;
    this.#driver = new InlineDriver(site.interrupt);
    this.lab = ringVm(site.kernel, plan);
    this.#witness = new CountingWitness(this.lab);
  }

  /**
   * Lets the rounds to come follow another pattern.
   *
   * @param sequence A page number for each store, as many as the plan's.
   */
  load(sequence: Uint32Array): void {
    this.lab.load(sequence);
    this.#witness.census = new PageCensus(this.lab.pages, sequence);
  }

  /**
   * Runs a round: every store, harvested and reset at each full ring and at the end. Then the pages that entries
   * named are compared with those that were stored to, and with what memory holds.
   *
   * @param take How the ring is harvested.
   * @param statistics Gets each window; nothing of it is timed.
   * @returns Its figures; `null` where it did not come to its end or something does not hold.
   */
  async round(take: Take, statistics?: RingStatistics): Promise<RoundResult | null> {
    const { interrupt, problems } = this.#site;
    const witness = this.#witness;
    witness.census.begin();
    const observers = {
      interrupt,
      witness,
      ...(statistics === undefined ? {} : { statistics: [statistics] }),
    };
    const rounds = new Rounds(this.lab, this.#driver, observers, take);
    const round = await rounds.round();
    if (rounds.state === "interrupted") return null;
    const found = [...rounds.problems];
    const difference = witness.census.difference();
    if (difference !== null) found.push(difference);
    if (witness.lost.count > 0) found.push("a page holds a store that no entry announced");
    problems.push(...found.map((problem) => `ring, ${this.#what}: ${problem}`));
    return found.length === 0 ? round : null;
  }

  /** Gives the VM back. */
  [Symbol.dispose](): void {
    this.lab[Symbol.dispose]();
  }
}
