import { InlineDriver } from "../../drive/inline_driver.ts";
import { storesPushTwice } from "../../drive/measure.ts";
import { kvm_dirty_gfn } from "../../ffi/kvm_structs.ts";
import { kernelFacts, type Result } from "../../host/facts.ts";
import type { InterruptSignal } from "../../host/interrupt.ts";
import type { WorkStep } from "../../host/progress.ts";
import { largestRing, smallestRing, System } from "../../kvm/system.ts";
import { ringVm } from "../../machine/guest_vm.ts";
import { type CostCell, measureCost } from "./bench_cost.ts";
import { type CostCrossover, crossoversOf } from "./bench_crossing.ts";
import {
  type BenchOptions,
  type CellSize,
  cellsOf,
  planBench,
  type Sweep,
} from "./bench_options.ts";
import type { BenchSite } from "./bench_ring.ts";
import {
  measurePatterns,
  measureRingSizes,
  type PatternCost,
  RING_SIZE_GUEST,
  RING_SIZE_REPETITIONS,
  type RingSizeCost,
  type RingSizeGuest,
  ringSizes,
  type RunRingSize,
} from "./bench_ring_sizes.ts";
import {
  measureDensity,
  type SortDensity,
  sortPages,
  type SortPays,
  sortPaysFrom,
} from "./bench_sort.ts";
import { warmBench } from "./take_turns.ts";

/** The resolved options of a bench. */
export interface BenchResolved {
  /** The guest program. */
  readonly guest: BenchOptions["guest"];
  /** Sizes of logged memory in the cost sweep, in bytes. */
  readonly memory: readonly number[];
  /** Numbers of dirty pages in the cost sweep. */
  readonly pages: readonly number[];
  /** The order of pages in the sweeps cost and ring-size, as it was written. */
  readonly pattern: string;
  /** Seed of the random patterns. */
  readonly seed: number;
  /** Ring size in entries, for sweeps that do not vary it. */
  readonly ring: number;
  /** The sweeps. */
  readonly sweep: readonly Sweep[];
}

/** The result of `dirtyring bench`: what tracking dirty pages costs. */
export interface BenchResult extends Result {
  /** Name and version of this format. */
  readonly schema: "dirtyring.bench/1";
  /** The resolved options. */
  readonly options: BenchResolved;
  /** The fewest repetitions behind any figure; 0 if nothing was measured. */
  readonly repetitions: number;
  /** Ring against bitmap. */
  readonly cells: readonly CostCell[];
  /** The dirty fraction from which the bitmap wins, for each size of memory. */
  readonly crossover: readonly CostCrossover[];
  /** The guest of the ring-size sweep; `null` if that was not measured. */
  readonly ringSizeGuest: RingSizeGuest | null;
  /** The cost of rings of different sizes. */
  readonly ringSizes: readonly RingSizeCost[];
  /** The cost of resets by the order of pages. */
  readonly patterns: readonly PatternCost[];
  /** Sorting in the ring, by density of dirty pages. */
  readonly sorting: readonly SortDensity[];
  /** The density from which sorting pays; `null` if that was not measured. */
  readonly sortPays: SortPays | null;
  /**
   * Whether two stores to one page pushed two entries. KVM then emulates the guest, so there are no
   * guest mappings to re-protect, and the cost of re-protecting is understated.
   */
  readonly emulated: boolean;
  /** What did not hold. */
  readonly problems: readonly string[];
  /** Whether everything held: all trackers found exactly the pages that were stored to. */
  readonly ok: boolean;
  /** The signal that ended it early, or `null`. */
  readonly interrupted: InterruptSignal | null;
}

/** What a bench needs from its caller. */
export interface BenchHelp {
  /** Makes the function that runs the guest of the ring-size sweep. */
  runRingSize(site: BenchSite, options: BenchOptions): RunRingSize;
}

/**
 * Makes the requested sweeps, one after another.
 *
 * @returns All that was measured, even if the bench ended early.
 * @throws {UsageError} If an option is impossible; this is found out before anything is measured.
 * @throws {HostError} If the host has no usable KVM, no dirty ring, or no manual dirty log.
 * @throws {KernelError} If the kernel refuses a call.
 */
export async function bench(
  site: BenchSite,
  asked: BenchOptions,
  help: BenchHelp,
): Promise<BenchResult> {
  const { isTimed = true } = asked;
  // What is counted is the same in each repetition.
  const options = isTimed ? asked : { ...asked, repetitions: asked.repetitions ?? 1 };
  const wants = (sweep: Sweep) => options.sweep.includes(sweep) && site.interrupt.signal === null;
  const sizes = wants("cost") ? cellsOf(options) : [];
  const limits = ringSizesOf(site);
  // Make the largest VM first and dispose of it: if it cannot be made, that shows before minutes
  // are spent.
  const last = sizes.at(-1);
  if (last !== undefined) ringVm(site.kernel, planBench(options, last))[Symbol.dispose]();
  const emulated = await isEmulated(site, options);
  if (isTimed) warmBench();

  const cells = await costSweep(site, options, sizes);
  const rings = wants("ring-size") ? await ringSizeSweep(site, options, help, limits) : [];
  const patterns = wants("pattern") ? await measurePatterns(site, options) : [];
  const sorting = wants("sort") ? await sortSweep(site, options) : [];
  const measured = [...cells, ...rings, ...patterns, ...sorting];
  return {
    schema: "dirtyring.bench/1",
    kernel: kernelFacts(site.kernel, limits.largest),
    options: resolvedOptions(options),
    repetitions: measured.length === 0 ? 0 : Math.min(...measured.map((one) => one.repetitions)),
    cells,
    crossover: crossoversOf(cells),
    ringSizeGuest: rings.length === 0 ? null : RING_SIZE_GUEST,
    ringSizes: rings,
    patterns,
    sorting,
    sortPays: sorting.length === 0 ? null : sortPaysFrom(sorting),
    emulated,
    problems: site.problems,
    ok: site.problems.length === 0,
    interrupted: site.interrupt.signal,
  };
}

async function costSweep(
  site: BenchSite,
  options: BenchOptions,
  sizes: readonly CellSize[],
): Promise<CostCell[]> {
  const cells: CostCell[] = [];
  const { progress } = site.interrupt;
  let done = 0;
  using _sweep = progress.begin({
    ...sweepStep("cost", "sizes", sizes.length, options),
    done: () => done,
  });
  for (const size of sizes) {
    if (site.interrupt.signal !== null) break;
    const what = `${size.memoryBytes / 2 ** 20} MiB, ${size.dirtyPages} dirty pages`;
    using _size = progress.begin({ what, total: null, done: () => 0 });
    cells.push(...await measureCost(site, options, size, what));
    done++;
  }
  return cells;
}

async function ringSizeSweep(
  site: BenchSite,
  options: BenchOptions,
  help: BenchHelp,
  limits: RingSizes,
): Promise<RingSizeCost[]> {
  const run = help.runRingSize(site, options);
  const { progress } = site.interrupt;
  let done = 0;
  const told: RunRingSize = async (ringEntries) => {
    using _size = progress.begin({
      what: `rings of ${ringEntries} entries`,
      total: null,
      done: () => 0,
    });
    const cost = await run(ringEntries);
    done++;
    return cost;
  };
  const entries = (bytes: number) => bytes / kvm_dirty_gfn.size;
  const all = ringSizes(entries(limits.smallest), entries(limits.largest));
  using _sweep = progress.begin({
    what: "ring-size",
    unit: "runs",
    total: all.length * (options.repetitions ?? RING_SIZE_REPETITIONS),
    done: () => done,
  });
  return await measureRingSizes(all, told, options.repetitions, site.interrupt);
}

async function sortSweep(
  site: BenchSite,
  options: BenchOptions,
): Promise<SortDensity[]> {
  const densities: SortDensity[] = [];
  const { progress } = site.interrupt;
  const all = sortPages();
  let done = 0;
  using _sweep = progress.begin({
    ...sweepStep("sort", "densities", all.length, options),
    done: () => done,
  });
  for (const pages of all) {
    if (site.interrupt.signal !== null) break;
    const what = `${pages} dirty pages`;
    using _density = progress.begin({ what, total: null, done: () => 0 });
    const density = await measureDensity(site, options, pages, `sort: ${what}`);
    if (density !== null) densities.push(density);
    done++;
  }
  return densities;
}

// By default each size gets the same few seconds. With a number of repetitions it takes the longer
// the larger it is, and those that are done say nothing of the rest.
function sweepStep(
  what: Sweep,
  unit: string,
  total: number,
  { repetitions }: BenchOptions,
): Omit<WorkStep, "done"> {
  return { what, unit, total, isSteady: repetitions === undefined };
}

// Measured on a small VM of its own.
async function isEmulated(
  { kernel, interrupt }: BenchSite,
  options: BenchOptions,
): Promise<boolean> {
  using lab = ringVm(kernel, planBench(options, SMALL));
  return await storesPushTwice(lab, new InlineDriver(interrupt));
}

/** The ring sizes that a kernel takes. */
interface RingSizes {
  /** Bytes of the largest ring. */
  readonly largest: number;
  /** Bytes of the smallest ring. */
  readonly smallest: number;
}

const SMALL = { memoryBytes: 2 ** 20, dirtyPages: 1 } as const;

function ringSizesOf({ kernel }: BenchSite): RingSizes {
  using system = System.open(kernel);
  const largest = largestRing(system);
  return { largest, smallest: smallestRing(system, largest) };
}

/**
 * The options of a bench as its result has them.
 *
 * @throws {UsageError} If the pattern is impossible.
 */
export function resolvedOptions(options: BenchOptions): BenchResolved {
  const { guest, memory, pages, seed, ringBytes, sweep } = options;
  // The plan has the pattern as text.
  const { pattern } = planBench(options, SMALL).options;
  const ring = ringBytes / kvm_dirty_gfn.size;
  return { guest, memory, pages, pattern, seed, ring, sweep };
}
