import type { InterruptSignal } from "../lab/interrupt.ts";

/** As a shell tells of a process that the signal ended: 128 and its number. */
const STATUSES: Readonly<Record<InterruptSignal, number>> = {
  SIGHUP: 129,
  SIGINT: 130,
  SIGTERM: 143,
};

/**
 * The exit status of a command that all held for, as far as it came.
 *
 * @param signal The signal that ended it early, or `null`.
 * @returns 129, 130 or 143 after an interrupt, otherwise 0.
 */
export function interruptStatus(signal: InterruptSignal | null): number {
  return signal === null ? 0 : STATUSES[signal];
}
