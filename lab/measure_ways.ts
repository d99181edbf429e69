import type { Take } from "../machine/dirty_tracker.ts";
import type { InlineDriver } from "./inline_driver.ts";
import type { Interrupt } from "./interrupt.ts";
import type { RingVm } from "./guest_vm.ts";
import { Rounds } from "./rounds.ts";

/** One of the things that take turns while they are measured. */
export interface Way {
  /** The pattern: a page number for each store. */
  readonly sequence: Uint32Array;
  /** How a ring is harvested. */
  readonly take: Take;
}

/** What a round cost for each of its entries. */
export interface WayCost {
  /** Nanoseconds in harvesting, for an entry. */
  readonly harvestNs: number;
  /** Nanoseconds in `KVM_RESET_DIRTY_RINGS`, for an entry. */
  readonly resetNs: number;
}

const MOST_REPETITIONS = 101;
const ENOUGH_REPETITIONS = 5;
/** Repetitions go on at least this long, and no longer than the second once they are enough. */
const SPEND_MS = 1000;
/** However few the repetitions: none begins after this. */
const LIMIT_MS = 4000;

/**
 * Measures rounds. The ways take turns, so that all meet the same noise. The lab's list is then the
 * pattern's again.
 *
 * @param lab The lab, its rings empty.
 * @param driver Runs its vCPUs.
 * @param interrupt Ends the repetitions early; `null` where nothing does.
 * @param problems Gets what did not hold meanwhile.
 * @param ways The ways.
 * @returns A row for each repetition, with the cost of each way.
 */
export async function measureWays(
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
  lab.load(lab.plan.sequence);
  return rows;
}

// The cost of a round, or null where it was not whole.
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
 * Whether KVM emulates the guest's stores: a page that is written through the page tables is pushed
 * once until its reset, while an emulated store pushes every time (`push.emulated-writes-repeat`). The
 * VM's list is then no longer the pattern's.
 *
 * @param lab The VM, its rings empty.
 * @param driver Runs its vCPUs.
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
