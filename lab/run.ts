import type { Interrupt } from "./interrupt.ts";
import type { RingVm } from "./guest_vm.ts";
import { type LabResult, labResult } from "./result.ts";
import { type RuleChoice, type Story, tell } from "./story.ts";

/** `dirtyring run`: the whole loop as a story in numbers. */
export interface RunResult extends LabResult, Story {
  /** What it is. */
  readonly schema: "dirtyring.run/1";
}

/**
 * Runs the rounds of a lab and answers each one's figures, the check of its memory, and the statistics.
 *
 * @param lab The lab, fresh.
 * @param interrupt Ends it early; what was gathered is answered.
 * @param rule The rule that counts calls.
 * @param sort Whether entries are sorted in the ring before they are marked.
 * @returns The story of the run.
 */
export async function run(
  lab: RingVm,
  interrupt: Interrupt,
  rule: RuleChoice,
  sort = false,
): Promise<RunResult> {
  const story = await tell(lab, interrupt, { rule, keepRounds: true, sort });
  return { ...labResult("dirtyring.run/1", lab), ...story };
}
