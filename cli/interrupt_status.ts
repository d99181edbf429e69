import { EXIT } from "../lab/exit_status.ts";
import type { InterruptSignal } from "../lab/interrupt.ts";

/**
 * The exit status of a command that all held for, as far as it came.
 *
 * @param signal The signal that ended it early, or `null`.
 * @returns 129, 130 or 143 after an interrupt, otherwise 0.
 */
export function interruptStatus(signal: InterruptSignal | null): number {
  return signal === null ? EXIT.OK : EXIT[signal];
}
