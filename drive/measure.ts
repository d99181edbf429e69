// Measures what a reset costs for a pattern, and what sorting entries costs and saves.
import type { Interrupt } from "../host/interrupt.ts";
import type { Take } from "../machine/dirty_tracker.ts";
import type { RingVm } from "../machine/guest_vm.ts";
import { takePlain, takeSorted } from "../machine/ring_tracker.ts";
import type { Witness } from "../memory/witness.ts";
import { median } from "../ring/distribution.ts";
import { RingStatistics } from "../ring/statistics.ts";
import type { InlineDriver } from "./inline_driver.ts";
import { Rounds } from "./rounds.ts";

/** The measured cost of a reset. Nothing here is modelled. */
export interface Measured {
  /** Rounds of each pattern that the medians are taken over. */
  readonly repetitions: number;
  /**
   * Median time of `KVM_RESET_DIRTY_RINGS` per entry, in nanoseconds; `null` if there was no entry.
   */
  readonly resetNsPerEntry: number | null;
  /** The same for a sequential pattern with as many stores, measured in turn with the other. */
  readonly sequentialResetNsPerEntry: number | null;
  /**
   * Whether two stores to one page pushed two entries. KVM then emulates the guest, there are no
   * guest mappings to re-protect, and the measured cost is too low.
   */
  readonly emulated: boolean;
  /** The times of each repetition, in the order in which they were measured. */
  readonly samples: {
    /** Nanoseconds of `KVM_RESET_DIRTY_RINGS` per entry, for the pattern. */
    readonly resetNsPerEntry: readonly number[];
    /** The same for the sequential pattern. */
    readonly sequentialResetNsPerEntry: readonly number[];
  };
}

/** What is reported where nothing was measured, because the run ended early. */
export const NOT_MEASURED: Measured = {
  repetitions: 0,
  resetNsPerEntry: null,
  sequentialResetNsPerEntry: null,
  emulated: false,
  samples: { resetNsPerEntry: [], sequentialResetNsPerEntry: [] },
};

/**
 * Measures what the reset of a lab's pattern costs, harvested unsorted, and the same for a
 * sequential pattern.
 *
 * @param lab The lab, its rings empty.
 * @param interrupt Ends the repetitions early.
 * @param problems Receives the checks that fail meanwhile.
 * @param isTimed Whether times are wanted; without them there are no repetitions.
 * @returns The medians, and how many repetitions they are taken over.
 */
export async function measureReset(
  lab: RingVm,
  driver: InlineDriver,
  interrupt: Interrupt,
  problems: string[],
  isTimed: boolean,
): Promise<Measured> {
  const emulated = await storesPushTwice(lab, driver);
  const { total } = lab.pages;
  const sequential = new Uint32Array(lab.plan.sequence.length);
  // Uint32Array.from() with a function would take a second for ten million stores.
  for (let n = 0, page = 0; n < sequential.length; n++) {
    sequential[n] = page;
    page = page + 1 === total ? 0 : page + 1;
  }
  using _step = measuring(interrupt, "measuring what a reset costs");
  const ways = [
    { sequence: lab.plan.sequence, take: takePlain },
    { sequence: sequential, take: takePlain },
  ];
  const rows = isTimed ? await measureWays(lab, driver, interrupt, problems, ways) : [];
  lab.load(lab.plan.sequence);
  const samples = {
    resetNsPerEntry: rows.map(([pattern]) => pattern!.resetNs),
    sequentialResetNsPerEntry: rows.map(([, line]) => line!.resetNs),
  };
  return {
    repetitions: rows.length,
    resetNsPerEntry: median(samples.resetNsPerEntry),
    sequentialResetNsPerEntry: median(samples.sequentialResetNsPerEntry),
    emulated,
    samples,
  };
}

/** The cost of a round with one of the two ways of harvesting, plain or sorted. */
export interface SortSide {
  /** Entries of a round, over all rings. */
  readonly entries: number;
  /** Batches that its resets formed of them. Modelled. */
  readonly batches: number;
  /**
   * Median time of the harvest per entry, sorting included, in nanoseconds; `null` if it was not
   * measured.
   */
  readonly harvestNsPerEntry: number | null;
  /**
   * Median time of `KVM_RESET_DIRTY_RINGS` per entry, in nanoseconds; `null` if it was not
   * measured.
   */
  readonly resetNsPerEntry: number | null;
  /** The times of each repetition, in the order in which they were measured. */
  readonly samples: {
    /** Nanoseconds of the harvest per entry, sorting included. */
    readonly harvestNsPerEntry: readonly number[];
    /** Nanoseconds of `KVM_RESET_DIRTY_RINGS` per entry. */
    readonly resetNsPerEntry: readonly number[];
  };
}

/** What it costs and saves to sort entries in the ring before they are marked as harvested. */
export interface SortCost {
  /** Rounds of each way that the medians are taken over. The two ways took turns. */
  readonly repetitions: number;
  /** Batches are computed by the rule of `kvm_dirty_ring_reset`; times are measured. */
  readonly modelled: true;
  /** Entries left in the order of the stores. */
  readonly plain: SortSide;
  /** Entries sorted by slot and offset. */
  readonly sorted: SortSide;
  /**
   * Time of harvest and reset of the plain way, divided by that of the sorted way: above 1, sorting
   * paid off.
   */
  readonly ratio: number | null;
  /** Repetitions in which harvest and reset together took less time the sorted way. */
  readonly faster: number;
  /**
   * Whether KVM emulates the guest's stores. The cost of a reset, and so the saving, is then
   * understated.
   */
  readonly emulated: boolean;
}

const NOT_RUN: SortSide = {
  entries: 0,
  batches: 0,
  harvestNsPerEntry: null,
  resetNsPerEntry: null,
  samples: { harvestNsPerEntry: [], resetNsPerEntry: [] },
};

/** The result when nothing was measured, because the run ended early. */
export const SORT_NOT_MEASURED: SortCost = {
  repetitions: 0,
  modelled: true,
  plain: NOT_RUN,
  sorted: NOT_RUN,
  ratio: null,
  faster: 0,
  emulated: false,
};

/**
 * Measures the lab's pattern plain and sorted, in turn. First it runs one untimed round of each
 * way, which counts batches and lets the witness see that a sorted reset loses nothing.
 *
 * @param lab The lab, its rings empty.
 * @param interrupt Ends it early; `null` if nothing does.
 * @param problems Receives the checks that fail meanwhile.
 * @param witness Has watched the lab's stores so far. It does not see those of the timed rounds.
 * @param isTimed Whether times are wanted; without them batches are counted, and there are no
 * repetitions.
 */
export async function measureSort(
  lab: RingVm,
  driver: InlineDriver,
  interrupt: Interrupt | null,
  problems: string[],
  witness: Witness,
  isTimed: boolean,
): Promise<SortCost> {
  const plain = await countBatches(lab, driver, interrupt, problems, witness, takePlain);
  const sorted = await countBatches(lab, driver, interrupt, problems, witness, takeSorted);
  if (plain === null || sorted === null) return SORT_NOT_MEASURED;
  const emulated = await storesPushTwice(lab, driver);
  using _step = measuring(interrupt, "measuring what sorting costs and saves");
  const { sequence } = lab.plan;
  const ways = [{ sequence, take: takePlain }, { sequence, take: takeSorted }];
  const rows = isTimed ? await measureWays(lab, driver, interrupt, problems, ways) : [];
  lab.load(sequence);
  return sortCost({ ...NOT_RUN, ...plain }, { ...NOT_RUN, ...sorted }, rows, emulated);
}

/**
 * Computes the medians, the ratio and the count.
 *
 * @param plain Entries and batches of a plain round.
 * @param sorted Those of a sorted round.
 * @param rows The costs of the plain and of the sorted way, in this order, for each repetition.
 */
export function sortCost(
  plain: SortSide,
  sorted: SortSide,
  rows: readonly (readonly WayCost[])[],
  emulated: boolean,
): SortCost {
  const side = (way: number) => {
    const samples = {
      harvestNsPerEntry: rows.map((row) => row[way]!.harvestNs),
      resetNsPerEntry: rows.map((row) => row[way]!.resetNs),
    };
    return {
      harvestNsPerEntry: median(samples.harvestNsPerEntry),
      resetNsPerEntry: median(samples.resetNsPerEntry),
      samples,
    };
  };
  const total = ({ harvestNs, resetNs }: WayCost) => harvestNs + resetNs;
  const [before, after] = [side(0), side(1)];
  return {
    repetitions: rows.length,
    modelled: true,
    plain: { ...plain, ...before },
    sorted: { ...sorted, ...after },
    ratio: ratio(before, after),
    faster: rows.filter(([one, other]) => total(other!) < total(one!)).length,
    emulated,
  };
}

// Computed from the medians that are shown, so that it agrees with their sums.
function ratio(plain: Times, sorted: Times): number | null {
  const [before, after] = [plain, sorted].map(({ harvestNsPerEntry, resetNsPerEntry }) =>
    harvestNsPerEntry === null || resetNsPerEntry === null
      ? NaN
      : harvestNsPerEntry + resetNsPerEntry
  );
  const quotient = before! / after!;
  return Number.isFinite(quotient) ? quotient : null;
}

type Times = Pick<SortSide, "harvestNsPerEntry" | "resetNsPerEntry">;

// Counts over a complete round of one way; null if the round ended early.
async function countBatches(
  lab: RingVm,
  driver: InlineDriver,
  interrupt: Interrupt | null,
  problems: string[],
  witness: Witness,
  take: Take,
): Promise<Pick<SortSide, "entries" | "batches"> | null> {
  if (problems.length > 0 || (interrupt?.signal ?? null) !== null) return null;
  const statistics = lab.vcpus.map(() => new RingStatistics());
  const observers = { statistics, witness, ...(interrupt === null ? {} : { interrupt }) };
  const rounds = new Rounds(lab, driver, observers, take);
  const { entries } = await rounds.round();
  problems.push(...rounds.problems.map((problem) => `while measuring: ${problem}`));
  if (rounds.state !== "going" || problems.length > 0) return null;
  const total = new RingStatistics();
  for (const ring of statistics) total.addAll(ring);
  // The rule for batches is the same in every version. The rule for calls is not, but they are not
  // used here.
  return { entries, batches: total.result("v6.17").batches };
}

/** One of the ways to harvest that take turns during the measurement. */
export interface Way {
  /** The pattern: a page number for each store. */
  readonly sequence: Uint32Array;
  /** How a ring is harvested. */
  readonly take: Take;
}

/** The cost of a round per entry. */
export interface WayCost {
  /** Nanoseconds spent harvesting, per entry. */
  readonly harvestNs: number;
  /** Nanoseconds spent in `KVM_RESET_DIRTY_RINGS`, per entry. */
  readonly resetNs: number;
}

const MOST_REPETITIONS = 101;
const ENOUGH_REPETITIONS = 5;
/**
 * Repetitions go on for at least this long. After it they end as soon as there are enough of them.
 */
const SPEND_MS = 1000;
/** No repetition begins after this, however few there are. */
const LIMIT_MS = 4000;

// Says what is measured. How long it takes depends on what is measured: from one second to four.
function measuring(interrupt: Interrupt | null, what: string): Disposable | undefined {
  return interrupt?.progress.begin({ what, total: null, done: () => 0 });
}

/**
 * Measures rounds. The ways take turns, so that all meet the same noise.
 *
 * @param lab The lab, its rings empty.
 * @param interrupt Ends the repetitions early; `null` if nothing does.
 * @param problems Receives the checks that fail meanwhile.
 * @returns A row for each repetition, with the cost of each way.
 */
async function measureWays(
  lab: RingVm,
  driver: InlineDriver,
  interrupt: Interrupt | null,
  problems: string[],
  ways: readonly Way[],
): Promise<readonly (readonly WayCost[])[]> {
  const rows: WayCost[][] = [];
  const started = performance.now();
  while (rows.length < MOST_REPETITIONS && (interrupt?.signal ?? null) === null) {
    const spent = performance.now() - started;
    if (spent > LIMIT_MS || (spent > SPEND_MS && rows.length >= ENOUGH_REPETITIONS)) break;
    const row: WayCost[] = [];
    for (const way of ways) {
      const cost = await measureWay(lab, driver, interrupt, problems, way);
      if (cost === null) break;
      row.push(cost);
    }
    if (row.length < ways.length || problems.length > 0) break;
    rows.push(row);
    await interrupt?.pause();
  }
  return rows;
}

// The cost of a round; null if the round ended early or had no entry.
async function measureWay(
  lab: RingVm,
  driver: InlineDriver,
  interrupt: Interrupt | null,
  problems: string[],
  { sequence, take }: Way,
): Promise<WayCost | null> {
  lab.load(sequence);
  const rounds = new Rounds(lab, driver, interrupt === null ? {} : { interrupt }, take);
  const { harvestNs, resetNs, entries } = await rounds.round();
  problems.push(...rounds.problems.map((problem) => `while measuring: ${problem}`));
  if (rounds.state !== "going" || entries === 0) return null;
  return { harvestNs: harvestNs / entries, resetNs: resetNs / entries };
}

/**
 * Whether KVM emulates the guest's stores. A page that is written through the page tables is pushed
 * once until its reset, while an emulated store is pushed every time
 * (`push.emulated-writes-repeat`). This overwrites the VM's list with a pattern of its own.
 *
 * @param lab The VM, its rings empty.
 * @returns Whether two stores to one page pushed two entries.
 */
export async function storesPushTwice(lab: RingVm, driver: InlineDriver): Promise<boolean> {
  lab.load(Uint32Array.of(0, 0));
  lab.begin(0, 0, 2);
  await driver.run(lab.vcpus[0]!.vcpu);
  const entries = lab.tracker.learn([0]);
  lab.tracker.rearm();
  return entries > 1;
}
