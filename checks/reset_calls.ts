import type { ResetCall } from "../ffi/insight.ts";
import type { CheckHost } from "./check_host.ts";
import { expect } from "./expect.ts";
import { forgeEntries, type Place, storeTo } from "./forged.ts";

/** Bytes of a ring with room for 400 entries, with PML also. */
const RING_BYTES = 16384;

/**
 * The `kvm_reset_dirty_gfn` calls of one reset over rings with forged entries: of the model alone, which
 * also may be given any offset.
 *
 * @param host The host.
 * @param rings The entries of each vCPU's ring; 400 each at most.
 * @returns The calls in order, those with an empty mask included.
 * @throws {CheckSkip} On a real kernel, before anything is written.
 * @throws {CheckFailure} Where the reset does not count all entries.
 */
export function resetCallsOf(host: CheckHost, rings: readonly (readonly Place[])[]): ResetCall[] {
  const { insight } = host;
  const machine = host.machine({
    vcpus: rings.length,
    ringBytes: RING_BYTES,
    pages: 1024,
    hostPages: 1024,
  });
  let page = machine.gfn;
  rings.forEach((places, vcpu) => {
    storeTo(machine, places.map(() => page++), vcpu);
    forgeEntries(machine, places, vcpu);
    machine.harvest(vcpu);
  });
  const count = rings.reduce((sum, { length }) => sum + length, 0);
  expect("entries reset", machine.reset(), count);
  return [...insight.resetCalls(machine.vm.fd)];
}

/**
 * Calls as text, a line for each: `1:10 0x3` is slot 1, offset 10 and two pages.
 *
 * @param calls The calls.
 * @returns Their texts.
 */
export function callTexts(calls: readonly ResetCall[]): string[] {
  return calls.map(({ slot, offset, mask }) => `${slot}:${offset} 0x${mask.toString(16)}`);
}
