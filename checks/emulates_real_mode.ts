import { real16 } from "../guest/real16.ts";
import type { CheckHost } from "./check_host.ts";

/**
 * Whether the host emulates real mode: a page that is stored to twice then has two entries
 * (`push.emulated-writes-repeat`).
 *
 * @param host The host.
 * @returns Whether it does.
 */
export function emulatesRealMode(host: CheckHost): boolean {
  const machine = host.machine({ guest: real16 });
  machine.store(0, [machine.gfn, machine.gfn]);
  return machine.dirty(0).length > 1;
}
