import { HarvestCycle } from "../drive/harvest_cycle.ts";
import type { BenchSite } from "./bench_ring.ts";
import { GuestVm } from "../lab/guest_vm.ts";
import { InlineDriver } from "../lab/inline_driver.ts";
import { BitmapTracker } from "../machine/bitmap_tracker.ts";
import type { BitmapKind } from "../machine/dirty_tracker.ts";
import { PageCensus } from "./page_census.ts";
import type { Plan } from "../lab/plan.ts";

/** What a round with a bitmap cost, in nanoseconds. */
export interface BitmapRound {
  /** Getting the bitmap and turning it into page numbers. */
  readonly learnNs: number;
  /** Of that, the scan. */
  readonly scanNs: number;
  /** Clearing by hand; 0 where getting has re-armed already. */
  readonly rearmNs: number;
}

/** A guest whose dirty pages a bitmap tracks, for rounds that are timed and checked. */
export class BitmapBench implements Disposable {
  readonly #vm: GuestVm<BitmapTracker>;
  readonly #cycle: HarvestCycle<BitmapTracker>;
  readonly #census: PageCensus;
  readonly #driver: InlineDriver;
  readonly #site: BenchSite;
  readonly #what: string;

  /**
   * Makes the VM.
   *
   * @param site What it shares with others.
   * @param plan What to make; its ring is not enabled.
   * @param kind How the bitmap is re-armed.
   * @param what What is measured, for problems.
   * @throws {HostError} Where the kernel clears no dirty log by hand.
   * @throws {KernelError} Where the kernel refuses a call.
   */
  constructor(site: BenchSite, plan: Plan, kind: BitmapKind, what: string) {
    this.#site = site;
    this.#what = `${kind}, ${what}`;
    this.#driver = new InlineDriver(site.interrupt);
    this.#vm = new GuestVm(site.kernel, plan, new BitmapTracker(kind));
    this.#cycle = new HarvestCycle(this.#vm.tracker);
    this.#census = new PageCensus(this.#vm.pages, plan.sequence);
  }

  /**
   * Runs a round: every store, then learns and re-arms. The pages are compared with those that were stored to.
   *
   * @returns What it cost; `null` where it did not come to its end or something does not hold.
   */
  async round(): Promise<BitmapRound | null> {
    for (const [id, { vcpu, first, stores }] of this.#vm.vcpus.entries()) {
      this.#vm.begin(id, first, stores);
      const exit = await this.#driver.run(vcpu);
      if (exit === "KVM_EXIT_INTR") return null;
      if (this.#vm.remaining(id) !== 0) return this.#problem(`vCPU ${id} ended early with ${exit}`);
    }
    const cycle = this.#cycle;
    let rearmNs = 0;
    cycle.learn([]); // a bitmap does not tell vCPUs apart
    cycle.rearm(({ ns }) => rearmNs += ns);
    const { learnNs, tracker: { scanNs, found } } = cycle;
    this.#census.begin();
    this.#census.addPages(found);
    const difference = this.#census.difference();
    return difference === null ? { learnNs, scanNs, rearmNs } : this.#problem(difference);
  }

  #problem(text: string): null {
    this.#site.problems.push(`${this.#what}: ${text}`);
    return null;
  }

  /** Gives the VM back. */
  [Symbol.dispose](): void {
    this.#vm[Symbol.dispose]();
  }
}
