// The cost sweep: what it costs to learn which pages are dirty and to re-protect them, by ring and
// by bitmap.

import { HarvestCycle } from "../../drive/harvest_cycle.ts";
import { InlineDriver } from "../../drive/inline_driver.ts";
import { kvm_dirty_gfn } from "../../ffi/kvm_structs.ts";
import { PAGE_SIZE } from "../../ffi/linux.ts";
import { BitmapTracker } from "../../machine/bitmap_tracker.ts";
import type { BitmapKind, Take, TrackingKind } from "../../machine/dirty_tracker.ts";
import { GuestVm } from "../../machine/guest_vm.ts";
import type { Plan } from "../../machine/plan.ts";
import { takePlain, takeSorted } from "../../machine/ring_tracker.ts";
import type { PageNumbers } from "../../memory/page_sets.ts";
import { median } from "../../ring/distribution.ts";
import { RingStatistics } from "../../ring/statistics.ts";
import { type BenchOptions, type CellSize, planBench } from "./bench_options.ts";
import { type BenchSite, PageCensus, RingBench } from "./bench_ring.ts";
import { spreadOf, takeTurns } from "./take_turns.ts";

/** The cost of learning which pages are dirty and re-protecting them: one way of tracking, one size. */
export interface CostCell extends CellSize {
  /** Dirty pages / all logged pages, from 0 to 1. */
  readonly dirtyFraction: number;
  /** How dirty pages are tracked. */
  readonly tracking: TrackingKind;
  /** Whether entries are sorted in the ring before they are marked. */
  readonly sorted: boolean;
  /** Number of repetitions behind the figures. */
  readonly repetitions: number;
  /**
   * Bytes that userspace reads to learn the pages of a round: 16 an entry, or the whole bitmap.
   */
  readonly bytesRead: number;
  /** Bytes of the bitmap that KVM copies, to get and to clear it; 0 for a ring. */
  readonly bytesCopied: number;
  /**
   * Masks of up to 64 pages that KVM re-protects at once: batches, modelled, or words of the bitmap
   * that have a bit.
   */
  readonly masks: number;
  /** Nanoseconds to learn and re-protect: the median. */
  readonly medianNs: number;
  /** The least, in nanoseconds. */
  readonly minNs: number;
  /** The greatest, in nanoseconds. */
  readonly maxNs: number;
  /** The lower quartile, in nanoseconds. */
  readonly q1Ns: number;
  /** The upper quartile, in nanoseconds. */
  readonly q3Ns: number;
  /**
   * Median of learning, in nanoseconds: the harvest with the sorting, or getting and scanning the
   * bitmap.
   */
  readonly learnNs: number;
  /**
   * Median of re-protecting, in nanoseconds: reset, or clear; `null` if getting the bitmap does
   * it.
   */
  readonly rearmNs: number | null;
  /** Median of the scan, in nanoseconds, which is a part of learning; `null` for a ring. */
  readonly scanNs: number | null;
  /** `KVM_EXIT_DIRTY_RING_FULL` exits of a round, median; `null` for a bitmap. */
  readonly fullExits: number | null;
  /** Median of this way / median of the plain bitmap. */
  readonly ratio: number;
  /** The figures of each repetition, in the order in which they were measured. */
  readonly samples: CostSamples;
}

/** The figures of each repetition of a cell. */
export interface CostSamples {
  /** Nanoseconds of learning. */
  readonly learnNs: readonly number[];
  /** Nanoseconds of re-protecting; `null` if getting the bitmap does so. */
  readonly rearmNs: readonly number[] | null;
  /** Nanoseconds of the scan; `null` for a ring. */
  readonly scanNs: readonly number[] | null;
  /** `KVM_EXIT_DIRTY_RING_FULL` exits; `null` for a bitmap. */
  readonly fullExits: readonly number[] | null;
}

/** The cost of one round in one way. */
export interface RoundCost extends Pick<CostCell, "bytesRead" | "bytesCopied" | "masks"> {
  /** Nanoseconds of learning. */
  readonly learnNs: number;
  /** Nanoseconds of re-protecting. */
  readonly rearmNs: number;
  /** Nanoseconds of the scan, a part of learning; `null` for a ring. */
  readonly scanNs: number | null;
  /** `KVM_EXIT_DIRTY_RING_FULL` exits; `null` for a bitmap. */
  readonly fullExits: number | null;
}

const WAYS = [
  { tracking: "ring", sorted: false },
  { tracking: "ring", sorted: true },
  { tracking: "bitmap", sorted: false },
  { tracking: "bitmap-manual", sorted: false },
] as const;
const PLAIN_BITMAP = 2;
/** How many pages a word of the bitmap, or a mask of a batch, stands for. */
const MASK_PAGES = 64;
const MASK_BYTES = MASK_PAGES / 8;

/**
 * Measures one size in all ways, in turn. Each kind of tracking has a VM of its own, with the same
 * guest and pattern.
 *
 * @param what The size in words, for problems.
 * @returns A cell for each way; none if no repetition was completed.
 * @throws {KernelError} If the kernel refuses a call.
 */
export async function measureCost(
  site: BenchSite,
  options: BenchOptions,
  size: CellSize,
  what: string,
): Promise<CostCell[]> {
  // A large guest takes long to make, so that signals are noticed between.
  const { interrupt } = site;
  const plan = planBench(options, size);
  await interrupt.pause();
  if (interrupt.signal !== null) return [];
  using ring = new RingBench(site, plan, what);
  await interrupt.pause();
  if (interrupt.signal !== null) return [];
  using bitmap = new BitmapBench(site, plan, "bitmap", what);
  await interrupt.pause();
  if (interrupt.signal !== null) return [];
  using manual = new BitmapBench(site, plan, "bitmap-manual", what);
  const turns = [
    ringCosts(ring, takePlain),
    ringCosts(ring, takeSorted),
    () => bitmap.round(),
    () => manual.round(),
  ];
  const warmUp = options.isTimed ?? true;
  const rows = await takeTurns(turns, options.repetitions, site.interrupt, { warmUp });
  return costCells(size, rows);
}

function ringCosts(ring: RingBench, take: Take): () => Promise<RoundCost | null> {
  const statistics = new RingStatistics();
  const batches = () => statistics.result("v6.17");
  return async () => {
    // The batches are the same in each round: one round is enough.
    const round = await ring.round(take, batches().windows === 0 ? statistics : undefined);
    if (round === null) return null;
    const { harvestNs, resetNs, fullExits, entries } = round;
    return {
      learnNs: harvestNs,
      rearmNs: resetNs,
      scanNs: null,
      fullExits,
      bytesRead: entries * kvm_dirty_gfn.size,
      bytesCopied: 0,
      masks: batches().batches,
    };
  };
}

/**
 * Computes medians, spreads and ratios for one size.
 *
 * @param rows For each repetition, the cost of each way.
 * @returns A cell for each way; none without rows.
 */
export function costCells(
  { memoryBytes, dirtyPages }: CellSize,
  rows: readonly (readonly RoundCost[])[],
): CostCell[] {
  if (rows.length === 0) return [];
  const total = (way: number) => spreadOf(rows.map((row) => row[way]!.learnNs + row[way]!.rearmNs));
  const bitmap = total(PLAIN_BITMAP).median;
  return WAYS.map(({ tracking, sorted }, way) => {
    const costs = rows.map((row) => row[way]!);
    const { median: medianNs, min: minNs, max: maxNs, q1: q1Ns, q3: q3Ns } = total(way);
    const found = (figure: (cost: RoundCost) => number | null) => {
      const values = costs.map(figure).filter((value) => value !== null);
      return values.length === 0 ? null : values;
    };
    const samples = {
      learnNs: costs.map((cost) => cost.learnNs),
      rearmNs: tracking === "bitmap" ? null : costs.map((cost) => cost.rearmNs),
      scanNs: found((cost) => cost.scanNs),
      fullExits: found((cost) => cost.fullExits),
    };
    return {
      memoryBytes,
      dirtyPages,
      dirtyFraction: dirtyPages / (memoryBytes / PAGE_SIZE),
      tracking,
      sorted,
      repetitions: rows.length,
      bytesRead: spreadOf(costs.map((cost) => cost.bytesRead)).median,
      bytesCopied: costs[0]!.bytesCopied,
      masks: costs[0]!.masks,
      medianNs,
      minNs,
      maxNs,
      q1Ns,
      q3Ns,
      learnNs: spreadOf(samples.learnNs).median,
      rearmNs: median(samples.rearmNs ?? []),
      scanNs: median(samples.scanNs ?? []),
      fullExits: median(samples.fullExits ?? []),
      ratio: medianNs / bitmap,
      samples,
    };
  });
}

/** A guest whose dirty pages are tracked by a bitmap. Its rounds are timed and checked. */
class BitmapBench implements Disposable {
  readonly #vm: GuestVm<BitmapTracker>;
  readonly #cycle: HarvestCycle<BitmapTracker>;
  readonly #census: PageCensus;
  readonly #driver: InlineDriver;
  readonly #site: BenchSite;
  readonly #what: string;

  /**
   * Makes the VM.
   *
   * @param plan The plan of the VM; its ring is not enabled.
   * @param kind How its pages are re-protected.
   * @param what What is measured, for problems.
   * @throws {HostError} If the kernel has no manual dirty log.
   * @throws {KernelError} If the kernel refuses a call.
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
   * Runs a round: makes every store, then learns and re-protects. The pages found are compared with
   * those stored to.
   *
   * @returns Its cost; `null` if the round was interrupted or something did not hold.
   */
  async round(): Promise<RoundCost | null> {
    for (const [id, { vcpu, first, stores }] of this.#vm.vcpus.entries()) {
      this.#vm.begin(id, first, stores);
      const exit = await this.#driver.run(vcpu);
      if (exit === "KVM_EXIT_INTR") return null;
      if (this.#vm.remaining(id) !== 0) return this.#problem(`vCPU ${id} ended early with ${exit}`);
    }
    // Each of what follows may take long: signals are noticed between.
    const { interrupt } = this.#site;
    const cycle = this.#cycle;
    let rearmNs = 0;
    await interrupt.pause();
    cycle.learn([]); // a bitmap covers all vCPUs
    await interrupt.pause();
    cycle.rearm(({ ns }) => rearmNs += ns);
    await interrupt.pause();
    const { learnNs, tracker: { scanNs, found } } = cycle;
    this.#census.begin();
    this.#census.addPages(found);
    const difference = this.#census.difference();
    if (difference !== null) return this.#problem(difference);
    const bytes = Math.ceil(this.#vm.pages.total / MASK_PAGES) * MASK_BYTES;
    return {
      learnNs,
      rearmNs,
      scanNs,
      fullExits: null,
      bytesRead: bytes,
      // KVM copies it out when it is gotten, and in again when it is cleared.
      bytesCopied: this.#vm.tracker.kind === "bitmap" ? bytes : 2 * bytes,
      masks: masksOf(found),
    };
  }

  #problem(text: string): null {
    this.#site.problems.push(`${this.#what}: ${text}`);
    return null;
  }

  /** Disposes of the VM. */
  [Symbol.dispose](): void {
    this.#vm[Symbol.dispose]();
  }
}

/** Counts the words of a bitmap that have a bit. The pages are in order. */
function masksOf({ pages, length }: PageNumbers): number {
  let masks = 0;
  for (let n = 0, last = -1; n < length; n++) {
    const word = Math.floor(pages[n]! / MASK_PAGES);
    if (word !== last) masks++;
    last = word;
  }
  return masks;
}
