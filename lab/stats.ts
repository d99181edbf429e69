import type { Interrupt } from "./interrupt.ts";
import type { RingVm } from "./guest_vm.ts";
import { type LabResult, labResult } from "./result.ts";
import { type RoundsCheck, type RuleChoice, type StatsReport, tell } from "./story.ts";

/** `dirtyring stats`: the coalescing statistics of each ring and in total. */
export interface StatsResult extends LabResult, StatsReport, RoundsCheck {
  /** What it is. */
  readonly schema: "dirtyring.stats/1";
}

/**
 * Runs the rounds of a lab and answers the coalescing statistics.
 *
 * @param lab The lab, fresh.
 * @param interrupt Ends it early; what was gathered is answered.
 * @param rule The rule that counts calls.
 * @returns The statistics.
 */
export async function stats(
  lab: RingVm,
  interrupt: Interrupt,
  rule: RuleChoice,
): Promise<StatsResult> {
  const options = { rule, keepRounds: false, sort: false };
  const { rounds: _rounds, sort: _sort, stats, ...check } = await tell(lab, interrupt, options);
  return { ...labResult("dirtyring.stats/1", lab), ...stats, ...check };
}
