import { InlineDriver } from "../../drive/inline_driver.ts";
import { storesPushTwice } from "../../drive/measure.ts";
import { kvm_dirty_gfn } from "../../ffi/kvm_structs.ts";
import { kernelFacts, type Result } from "../../host/facts.ts";
import type { InterruptSignal } from "../../host/interrupt.ts";
import { largestRing, smallestRing, System } from "../../kvm/system.ts";
import { ringVm } from "../../machine/guest_vm.ts";
import { type CostCell, type CostCrossover, crossoversOf, measureCost } from "./bench_cost.ts";
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

/** The options of a bench as resolved. */
export interface BenchResolved {
  /** The guest program. */
  readonly guest: BenchOptions["guest"];
  /** Sizes of logged memory in the cost sweep, bytes. */
  readonly memory: readonly number[];
  /** Dirty pages in the cost sweep. */
  readonly pages: readonly number[];
  /** The order of pages in the cost and the ring-size sweep, as it was written. */
  readonly pattern: string;
  /** Seed of the random patterns. */
  readonly seed: number;
  /** Ring size in entries, where it is not what is varied. */
  readonly ring: number;
  /** The sweeps. */
  readonly sweep: readonly Sweep[];
}

/** `dirtyring bench`: what tracking dirty pages costs. */
export interface BenchResult extends Result {
  /** What it is. */
  readonly schema: "dirtyring.bench/1";
  /** The options as resolved. */
  readonly options: BenchResolved;
  /** The fewest repetitions that any figure is taken over; 0 where nothing was measured. */
  readonly repetitions: number;
  /** Ring against bitmap. */
  readonly cells: readonly CostCell[];
  /** From which dirty fraction on the bitmap wins, for each size of memory. */
  readonly crossover: readonly CostCrossover[];
  /** The guest that ran with rings of different sizes; `null` where that was not measured. */
  readonly ringSizeGuest: RingSizeGuest | null;
  /** Rings of different sizes. */
  readonly ringSizes: readonly RingSizeCost[];
  /** Pages in different orders. */
  readonly patterns: readonly PatternCost[];
  /** Sorting in the ring, by dirty density. */
  readonly sorting: readonly SortDensity[];
  /** From which density on it pays; `null` where that was not measured. */
  readonly sortPays: SortPays | null;
  /**
   * Whether two stores to one page pushed two entries: then KVM emulates the guest, there are no guest mappings to
   * re-protect, and what re-arming costs is understated.
   */
  readonly emulated: boolean;
  /** What did not hold. */
  readonly problems: readonly string[];
  /** Whether all held: then counts agree with what was stored, everywhere. */
  readonly ok: boolean;
  /** The signal that ended it early, or `null`. */
  readonly interrupted: InterruptSignal | null;
}

/** What a bench needs from its caller. */
export interface BenchHelp {
  /** Says what is measured next. */
  progress(what: string): void;
  /** Makes what the ring-size sweep runs. */
  runRingSize(site: BenchSite, options: BenchOptions): RunRingSize;
}

/**
 * Makes the sweeps that are asked for, one after another.
 *
 * @param options What to measure.
 * @param help What it needs from its caller.
 * @returns All that was measured, also where it ended early.
 * @throws {UsageError} Where an option cannot be: before anything is measured.
 * @throws {HostError} Where the host has no usable KVM, no dirty ring, or no manual dirty log.
 * @throws {KernelError} Where the kernel refuses a call.
 */
export async function bench(
  site: BenchSite,
  options: BenchOptions,
  help: BenchHelp,
): Promise<BenchResult> {
  const wants = (sweep: Sweep) => options.sweep.includes(sweep) && site.interrupt.signal === null;
  const sizes = wants("cost") ? cellsOf(options) : [];
  const limits = ringSizesOf(site);
  // The largest VM first, and given back: what cannot be is found out before minutes are spent.
  const last = sizes.at(-1);
  if (last !== undefined) ringVm(site.kernel, planBench(options, last))[Symbol.dispose]();
  const emulated = await isEmulated(site, options);
  warmBench();

  const cells = await costSweep(site, options, help, sizes);
  const rings = wants("ring-size") ? await ringSizeSweep(site, options, help, limits) : [];
  if (wants("pattern")) help.progress("patterns");
  const patterns = wants("pattern") ? await measurePatterns(site, options) : [];
  const sorting = wants("sort") ? await sortSweep(site, options, help) : [];
  const measured = [...cells, ...rings, ...patterns, ...sorting];
  return {
    schema: "dirtyring.bench/1",
    kernel: kernelFacts(site.kernel, limits.largest),
    options: resolved(options),
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
  { progress }: BenchHelp,
  sizes: readonly CellSize[],
): Promise<CostCell[]> {
  const cells: CostCell[] = [];
  for (const size of sizes) {
    if (site.interrupt.signal !== null) break;
    const what = `${size.memoryBytes / 2 ** 20} MiB, ${size.dirtyPages} dirty pages`;
    progress(`cost: ${what}`);
    cells.push(...await measureCost(site, options, size, what));
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
  const told: RunRingSize = (ringEntries) => {
    help.progress(`ring-size: ${ringEntries} entries`);
    return run(ringEntries);
  };
  const entries = (bytes: number) => bytes / kvm_dirty_gfn.size;
  const all = ringSizes(entries(limits.smallest), entries(limits.largest));
  return await measureRingSizes(all, told, options.repetitions, site.interrupt);
}

async function sortSweep(
  site: BenchSite,
  options: BenchOptions,
  { progress }: BenchHelp,
): Promise<SortDensity[]> {
  const densities: SortDensity[] = [];
  for (const pages of sortPages()) {
    if (site.interrupt.signal !== null) break;
    const what = `sort: ${pages} dirty pages`;
    progress(what);
    const density = await measureDensity(site, options, pages, what);
    if (density !== null) densities.push(density);
  }
  return densities;
}

// On a small VM of its own.
async function isEmulated(
  { kernel, interrupt }: BenchSite,
  options: BenchOptions,
): Promise<boolean> {
  using lab = ringVm(kernel, planBench(options, SMALL));
  return await storesPushTwice(lab, new InlineDriver(interrupt));
}

/** The sizes of rings that a kernel takes. */
interface RingSizes {
  /** Bytes of the largest ring. */
  readonly largest: number;
  /** Bytes of the smallest. */
  readonly smallest: number;
}

const SMALL = { memoryBytes: 2 ** 20, dirtyPages: 1 } as const;

function ringSizesOf({ kernel }: BenchSite): RingSizes {
  using system = System.open(kernel);
  const largest = largestRing(system);
  return { largest, smallest: smallestRing(system, largest) };
}

function resolved(options: BenchOptions): BenchResolved {
  const { guest, memory, pages, seed, ringBytes, sweep } = options;
  // A plan knows how a pattern is written.
  const { pattern } = planBench(options, SMALL).options;
  const ring = ringBytes / kvm_dirty_gfn.size;
  return { guest, memory, pages, pattern, seed, ring, sweep };
}
