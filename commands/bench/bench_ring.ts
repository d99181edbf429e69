import { InlineDriver } from "../../drive/inline_driver.ts";
import { type RoundResult, Rounds } from "../../drive/rounds.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import type { Interrupt } from "../../host/interrupt.ts";
import type { Take } from "../../machine/dirty_tracker.ts";
import { type RingVm, ringVm } from "../../machine/guest_vm.ts";
import type { Plan } from "../../machine/plan.ts";
import type { PageNumbers } from "../../memory/page_sets.ts";
import { Witness } from "../../memory/witness.ts";
import { type Entries, ENTRY_WORDS, type LoggedPages, OFFSET, SLOT } from "../../ring/entry.ts";
import type { RingStatistics } from "../../ring/statistics.ts";

/** What the parts of a bench share. */
export interface BenchSite {
  /** The kernel that answers. */
  readonly kernel: Kernel;
  /** Ends the bench early. */
  readonly interrupt: Interrupt;
  /** Collects what did not hold. */
  readonly problems: string[];
}

// Reads pages after each reset like any witness, and also counts them.
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

/**
 * A guest whose dirty pages are tracked by the ring. The parts of its rounds are timed, and all
 * results are checked.
 */
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
   * @param what What is measured, for problems: `"1 GiB, 256 pages"`.
   * @throws {KernelError} If the kernel refuses a call.
   */
  constructor(site: BenchSite, plan: Plan, what: string) {
    this.#site = site;
    this.#what = what;
    this.#driver = new InlineDriver(site.interrupt);
    this.lab = ringVm(site.kernel, plan);
    this.#witness = new CountingWitness(this.lab);
  }

  /**
   * Sets the pattern of the following rounds.
   *
   * @param sequence A page number for each store, as many as the plan has.
   */
  load(sequence: Uint32Array): void {
    this.lab.load(sequence);
    this.#witness.census = new PageCensus(this.lab.pages, sequence);
  }

  /**
   * Runs a round: makes every store, and harvests and resets at each full ring and at the end. Then
   * the pages that entries named are compared with those that were stored to, and with memory.
   *
   * @param take How the ring is harvested.
   * @param statistics Gets each window; this is not timed.
   * @returns Its figures; `null` if the round was interrupted or something did not hold.
   */
  async round(take: Take, statistics?: RingStatistics): Promise<RoundResult | null> {
    const { interrupt, problems } = this.#site;
    const witness = this.#witness;
    witness.census.begin();
    await interrupt.pause();
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

  /** Disposes of the VM. */
  [Symbol.dispose](): void {
    this.lab[Symbol.dispose]();
  }
}

/**
 * Compares the pages that a tracker found with the pages that were stored to: counts the matches,
 * and the others.
 */
export class PageCensus {
  readonly #pages: LoggedPages;
  readonly #stored: Uint32Array;
  // For each page, the number of the last count in which it was expected; one more if it was found,
  // too.
  readonly #seen: Uint32Array<ArrayBuffer>;
  #count = 0;
  #found = 0;
  #strays = 0;
  /** How many different pages are stored to. */
  readonly expected: number;

  /**
   * Prepares for counting.
   *
   * @param pages The logged slots.
   * @param stored The page of each store.
   */
  constructor(pages: LoggedPages, stored: Uint32Array) {
    this.#pages = pages;
    this.#stored = stored;
    this.#seen = new Uint32Array(pages.total);
    this.begin();
    for (const page of stored) this.#look(page);
    this.expected = this.#found;
  }

  /** Begins a count. */
  begin(): void {
    this.#count += 2;
    this.#found = 0;
    this.#strays = 0;
    for (let n = 0; n < this.#stored.length; n++) this.#seen[this.#stored[n]!] = this.#count;
  }

  /** Counts the pages that a ring's entries name; repeated pages count once. */
  addEntries({ words, length }: Entries): void {
    for (let at = 0; at < length * ENTRY_WORDS; at += ENTRY_WORDS) {
      this.#look(this.#pages.find(words[at + SLOT]!, words[at + OFFSET]!, words[at + OFFSET + 1]!));
    }
  }

  /** Counts pages; repeated pages count once. */
  addPages({ pages, length }: PageNumbers): void {
    for (let n = 0; n < length; n++) this.#look(pages[n]!);
  }

  /**
   * Compares the pages that were stored to with those that were found.
   *
   * @returns The difference, in a clause; `null` if they are the same pages.
   */
  difference(): string | null {
    if (this.#found === this.expected && this.#strays === 0) return null;
    return `${this.#found} of the ${this.expected} pages that were stored to were found, and ` +
      `${this.#strays} others`;
  }

  #look(page: number): void {
    const seen = this.#seen[page]; // undefined for -1: an entry that names no logged page
    if (seen === this.#count) {
      this.#seen[page] = this.#count + 1;
      this.#found++;
    } else if (seen !== this.#count + 1) this.#strays++;
  }
}
