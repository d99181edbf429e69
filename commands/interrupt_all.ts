import { Interrupt } from "../lab/interrupt.ts";
import type { Machine } from "../vm/machine.ts";

/**
 * Passes interrupts on to machines.
 *
 * @param running Those that run now.
 * @returns The interrupt, which tells whether there was one.
 */
export function interruptAll(running: ReadonlySet<Machine>): Interrupt {
  const interrupt: Interrupt = new Interrupt(() => {
    for (const machine of running) machine.interrupt(interrupt.signal!);
  });
  return interrupt;
}
