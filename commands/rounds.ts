import { EXIT } from "../lab/exit_status.ts";
import type { RoundsCheck, RuleChoice } from "../lab/story.ts";
import { interruptStatus } from "../cli/interrupt_status.ts";
import { choice, type Option } from "../cli/option.ts";

/** The option of commands that count `kvm_reset_dirty_gfn` calls. */
export const ruleOption: Option<RuleChoice> = choice(
  "kernel version whose rule counts the calls; auto goes by this kernel's release",
  ["auto", "v5.11", "v6.10", "v6.17"],
);

/**
 * The exit status of a command with rounds.
 *
 * @param result What its rounds found out.
 * @returns 1 where something did not hold, otherwise 130 or 143 after an interrupt, otherwise 0.
 */
export function roundsStatus(result: RoundsCheck): number {
  return result.ok ? interruptStatus(result.interrupted) : EXIT.BROKEN;
}
