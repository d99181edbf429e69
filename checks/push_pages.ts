import { expect } from "./expect.ts";
import type { Machine } from "./machine.ts";

/**
 * Lets a vCPU store to pages of slot 1, one at a time: each store ends in an exit, so that the entries
 * have the order of the stores also where the processor logs in a buffer.
 *
 * @param machine The machine.
 * @param pages The pages, counted from slot 1's base.
 * @param vcpu The vCPU.
 * @throws {CheckFailure} Where the guest does not come to its end.
 */
export function pushPages(machine: Machine, pages: readonly number[], vcpu = 0): void {
  for (const page of pages) {
    const exit = machine.store(vcpu, [machine.gfn + page]);
    expect(`exit after a store to page ${page}`, exit, machine.guest.exit);
  }
}
