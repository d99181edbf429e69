import { takePlain } from "../machine/ring_tracker.ts";
import type { InlineDriver } from "./inline_driver.ts";
import type { Interrupt } from "./interrupt.ts";
import type { RingVm } from "./guest_vm.ts";
import { measureWays, storesPushTwice } from "./measure_ways.ts";
import { median } from "./median.ts";

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

/**
 * Measures what the reset of a lab's pattern costs, as it comes, beside the sequential one.
 *
 * @param lab The lab, its rings empty.
 * @param driver Runs its vCPUs.
 * @param interrupt Ends the repetitions early.
 * @param problems Gets what did not hold meanwhile.
 * @returns Medians, and their number.
 */
export async function measureReset(
  lab: RingVm,
  driver: InlineDriver,
  interrupt: Interrupt,
  problems: string[],
): Promise<Measured> {
  const emulated = await storesPushTwice(lab, driver);
  const sequential = Uint32Array.from(lab.plan.sequence, (_, n) => n % lab.pages.total);
  const rows = await measureWays(lab, driver, interrupt, problems, [
    { sequence: lab.plan.sequence, take: takePlain },
    { sequence: sequential, take: takePlain },
  ]);
  return {
    repetitions: rows.length,
    resetNsPerEntry: median(rows.map(([pattern]) => pattern!.resetNs)),
    sequentialResetNsPerEntry: median(rows.map(([, line]) => line!.resetNs)),
    emulated,
  };
}
