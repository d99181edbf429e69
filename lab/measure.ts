import type { InlineDriver } from "./inline_driver.ts";
import type { Interrupt } from "./interrupt.ts";
import type { Lab } from "./lab.ts";
import { Rounds } from "./rounds.ts";

/** What a reset was measured to cost: not modelled. */
export interface Measured {
  /** Rounds of each pattern that the medians are taken over. */
  readonly repetitions: number;
  /** Median time of `KVM_RESET_DIRTY_RINGS` for an entry, nanoseconds; `null` without an entry. */
  readonly resetNsPerEntry: number | null;
  /** The same for the sequential pattern of as many stores, in turn with the other. */
  readonly sequentialResetNsPerEntry: number | null;
  /**
   * Whether two stores to one page pushed two entries: then KVM emulates the guest, there are no guest
   * mappings to re-protect, and the cost is understated.
   */
  readonly emulated: boolean;
}

const MOST_REPETITIONS = 101;
const ENOUGH_REPETITIONS = 5;
/** Repetitions go on at least this long, and no longer than the second once they are enough. */
const SPEND_MS = 1000;
/** However few the repetitions: none begins after this. */
const LIMIT_MS = 4000;

/**
 * Measures what the reset of a lab's pattern costs beside the sequential one. The two take turns, so
 * that both meet the same noise. The lab's list is then the pattern's again.
 *
 * @param lab The lab, its rings empty.
 * @param driver Runs its vCPUs.
 * @param interrupt Ends the repetitions early.
 * @param problems Gets what did not hold meanwhile.
 * @returns Medians, and their number.
 */
export async function measureReset(
  lab: Lab,
  driver: InlineDriver,
  interrupt: Interrupt,
  problems: string[],
): Promise<Measured> {
  const emulated = await storesPushTwice(lab, driver);
  const sequential = Uint32Array.from(lab.plan.sequence, (_, n) => n % lab.pages.total);
  const costs: [number[], number[]] = [[], []];
  const started = performance.now();
  let repetitions = 0;
  while (repetitions < MOST_REPETITIONS && interrupt.signal === null) {
    const spent = performance.now() - started;
    if (spent > LIMIT_MS || (spent > SPEND_MS && repetitions >= ENOUGH_REPETITIONS)) break;
    const pattern = await cost(lab, driver, interrupt, problems, lab.plan.sequence);
    const line = await cost(lab, driver, interrupt, problems, sequential);
    if (pattern === null || line === null || problems.length > 0) break;
    costs[0].push(pattern);
    costs[1].push(line);
    repetitions++;
    await interrupt.pause();
  }
  lab.load(lab.plan.sequence);
  return {
    repetitions,
    resetNsPerEntry: median(costs[0]),
    sequentialResetNsPerEntry: median(costs[1]),
    emulated,
  };
}

// Nanoseconds an entry over the resets of a round, or null where the round was not whole.
async function cost(
  lab: Lab,
  driver: InlineDriver,
  interrupt: Interrupt,
  problems: string[],
  sequence: Uint32Array,
): Promise<number | null> {
  lab.load(sequence);
  const rounds = new Rounds(lab, driver, { interrupt });
  const { resetNs, entries } = await rounds.round();
  problems.push(...rounds.problems.map((problem) => `while measuring: ${problem}`));
  return rounds.state === "going" && entries > 0 ? resetNs / entries : null;
}

// A page that is written through the page tables is pushed once until its reset; an emulated store
// pushes every time (push.emulated-writes-repeat).
async function storesPushTwice(lab: Lab, driver: InlineDriver): Promise<boolean> {
  lab.load(Uint32Array.of(0, 0));
  lab.begin(0, 0, 2);
  const { vcpu, harvester } = lab.vcpus[0]!;
  await driver.run(vcpu);
  const entries = harvester.take().length;
  lab.vm.resetDirtyRings();
  return entries > 1;
}

function median(values: number[]): number | null {
  if (values.length === 0) return null;
  values.sort((a, b) => a - b);
  const middle = values.length >> 1;
  return values.length % 2 === 1 ? values[middle]! : (values[middle - 1]! + values[middle]!) / 2;
}
