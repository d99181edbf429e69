import type { Take } from "../machine/dirty_tracker.ts";
import { takePlain, takeSorted } from "../machine/ring_tracker.ts";
import { RingStatistics } from "../ring/statistics.ts";
import type { Witness } from "../ring/witness.ts";
import type { InlineDriver } from "./inline_driver.ts";
import type { Interrupt } from "./interrupt.ts";
import type { RingVm } from "./guest_vm.ts";
import { measureWays, storesPushTwice, type WayCost } from "./measure_ways.ts";
import { median } from "./median.ts";
import { Rounds } from "./rounds.ts";

/** A round harvested in one of the two ways. */
export interface SortSide {
  /** Entries of a round, over all rings. */
  readonly entries: number;
  /** Batches in which its resets took them. Modelled. */
  readonly batches: number;
  /** Median time of the harvest for an entry, the sorting included; `null` where it was not measured. */
  readonly harvestNsPerEntry: number | null;
  /** Median time of `KVM_RESET_DIRTY_RINGS` for an entry. */
  readonly resetNsPerEntry: number | null;
}

/** What it costs and saves to sort entries in the ring before they are marked. */
export interface SortCost {
  /** Rounds of each way that the medians are taken over; the ways took turns. */
  readonly repetitions: number;
  /** Batches are computed by the rule of `kvm_dirty_ring_reset`; times are measured. */
  readonly modelled: true;
  /** Entries left in the order of the stores. */
  readonly plain: SortSide;
  /** Entries sorted by slot and offset. */
  readonly sorted: SortSide;
  /** Harvest and reset of the plain way, divided by those of the sorted one: above 1 it paid. */
  readonly ratio: number | null;
  /** Repetitions in which the sorted way, harvest and reset, took less time. */
  readonly faster: number;
  /** Whether KVM emulates the guest's stores, which understates what a reset costs, and so what is saved. */
  readonly emulated: boolean;
}

const NOT_RUN: SortSide = {
  entries: 0,
  batches: 0,
  harvestNsPerEntry: null,
  resetNsPerEntry: null,
};

/** Nothing was measured: what came before ended early. */
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
 * Measures the lab's pattern plain and sorted, in turn. Before that it runs a round of each that is not
 * timed, which counts batches and lets the witness see that a sorted reset loses nothing.
 *
 * @param lab The lab, its rings empty.
 * @param driver Runs its vCPUs.
 * @param interrupt Ends it early; `null` where nothing does.
 * @param problems Gets what did not hold meanwhile.
 * @param witness What watched the lab's stores so far; later ones it does not see.
 * @returns What sorting costs and saves.
 */
export async function measureSort(
  lab: RingVm,
  driver: InlineDriver,
  interrupt: Interrupt | null,
  problems: string[],
  witness: Witness,
): Promise<SortCost> {
  const plain = await countBatches(lab, driver, interrupt, problems, witness, takePlain);
  const sorted = await countBatches(lab, driver, interrupt, problems, witness, takeSorted);
  if (plain === null || sorted === null) return SORT_NOT_MEASURED;
  const emulated = await storesPushTwice(lab, driver);
  const { sequence } = lab.plan;
  const rows = await measureWays(lab, driver, interrupt, problems, [
    { sequence, take: takePlain },
    { sequence, take: takeSorted },
  ]);
  return sortCost({ ...NOT_RUN, ...plain }, { ...NOT_RUN, ...sorted }, rows, emulated);
}

/**
 * Puts medians, ratio and count together.
 *
 * @param plain Entries and batches of a plain round.
 * @param sorted Those of a sorted round.
 * @param rows For each repetition the costs of the plain and of the sorted way.
 * @param emulated Whether KVM emulates the guest's stores.
 * @returns What sorting costs and saves.
 */
export function sortCost(
  plain: SortSide,
  sorted: SortSide,
  rows: readonly (readonly WayCost[])[],
  emulated: boolean,
): SortCost {
  const side = (way: number) => ({
    harvestNsPerEntry: median(rows.map((row) => row[way]!.harvestNs)),
    resetNsPerEntry: median(rows.map((row) => row[way]!.resetNs)),
  });
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

// From the medians that are shown, so that it says what their sums do.
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

// A whole round of one way, or null where it did not come to its end.
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
  // Batches follow the same rule in every version; calls, which do not, are not asked for.
  return { entries, batches: total.result("v6.17").batches };
}
