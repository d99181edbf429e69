// Ring entries whose slot and offset a check overwrites ("forges"), and what a reset makes of them.
import { expect } from "./expect.ts";
import type { Machine } from "./machine.ts";

/**
 * A page as an entry names it: address space << 16 | slot id, and the offset in pages from the
 * slot's base.
 */
export type Place = readonly [slot: number, offset: number | bigint];

/**
 * Lets a vCPU store to pages until it reaches the end of the list.
 *
 * @param gfns The pages' guest frames.
 * @throws {CheckFailure} Where the guest stops for another reason.
 */
export function storeTo(machine: Machine, gfns: readonly number[], vcpu = 0): void {
  expect("how the guest stopped", machine.store(vcpu, gfns), machine.guest.exit);
}

/**
 * Overwrites a vCPU's dirty entries, in order from the fetch index on.
 *
 * @param places The new slots and offsets, one for each entry. On a live kernel offsets must stay
 * far below 2^64, except behind {@linkcode import("./vm_stats.ts").needsToHarm}.
 * @throws {CheckFailure} Where the number of dirty entries is another one.
 */
export function forgeEntries(machine: Machine, places: readonly Place[], vcpu = 0): void {
  expect("entries pushed", machine.dirty(vcpu).length, places.length);
  places.forEach(([slot, offset], n) => machine.forge(vcpu, machine.fetch(vcpu) + n, slot, offset));
}

/**
 * Forges vCPU 0's dirty entries, marks them harvested and resets.
 *
 * @param places The new slots and offsets, one for each entry.
 * @throws {CheckFailure} Where the reset does not count all of them.
 */
export function resetForged(machine: Machine, places: readonly Place[]): void {
  forgeEntries(machine, places);
  machine.harvest(0);
  expect("entries reset", machine.reset(), places.length);
}

/**
 * Lets vCPU 0 store to pages and returns what it pushes: the pages that were write-protected. The
 * entries are then harvested and reset, so these pages are protected again.
 *
 * @param machine A machine with no entry in vCPU 0's ring.
 * @param gfns The pages' guest frames.
 * @returns Each entry as `slot:offset`, sorted by slot and offset: with PML the ring's order may be
 * reversed.
 * @throws {CheckFailure} Where the guest stops for another reason, or the reset does not count all
 * entries.
 */
export function pushedBy(machine: Machine, gfns: readonly number[]): string[] {
  storeTo(machine, gfns);
  const from = machine.fetch(0);
  const count = machine.harvest(0);
  expect("entries reset", machine.reset(), count);
  // A reset leaves slot and offset as they were.
  return placeNames(Array.from({ length: count }, (_, n) => {
    const { slot, offset } = machine.entry(0, from + n);
    return [slot, offset];
  }));
}

/**
 * Places as text.
 *
 * @example
 * ```ts
 * import { placeNames } from "./forged.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(placeNames([[2, 0], [1, 30], [1, 4]]), ["1:4", "1:30", "2:0"]);
 * ```
 *
 * @param places Slots and offsets below 2^53.
 * @returns Each as `slot:offset`, sorted by slot, then by offset.
 */
export function placeNames(places: readonly Place[]): string[] {
  return places
    .map(([slot, offset]) => [slot, Number(offset)] as const)
    .sort((a, b) => a[0] - b[0] || a[1] - b[1])
    .map(([slot, offset]) => `${slot}:${offset}`);
}
