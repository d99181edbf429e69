import { expect } from "./expect.ts";
import type { Machine } from "./machine.ts";

/** A page as an entry names it: address space << 16 | slot id, and pages from the slot's base. */
export type Place = readonly [slot: number, offset: number | bigint];

/**
 * Lets a vCPU store to pages, to the end of the list.
 *
 * @param gfns The pages' guest frames.
 * @throws {CheckFailure} Where the guest stops in another way.
 */
export function storeTo(machine: Machine, gfns: readonly number[], vcpu = 0): void {
  expect("how the guest stopped", machine.store(vcpu, gfns), machine.guest.exit);
}

/**
 * Forges a vCPU's dirty entries from the fetch index on, one after another.
 *
 * @param machine The machine. On a live kernel offsets stay far below 2^64.
 * @param places What they shall name: as many places as entries.
 * @throws {CheckFailure} Where the vCPU pushed another number of entries.
 */
export function forgeEntries(machine: Machine, places: readonly Place[], vcpu = 0): void {
  expect("entries pushed", machine.dirty(vcpu).length, places.length);
  places.forEach(([slot, offset], n) => machine.forge(vcpu, machine.fetch(vcpu) + n, slot, offset));
}

/**
 * Forges vCPU 0's dirty entries, marks them harvested and resets.
 *
 * @param places What the entries shall name.
 * @throws {CheckFailure} Where not all of them are counted.
 */
export function resetForged(machine: Machine, places: readonly Place[]): void {
  forgeEntries(machine, places);
  machine.harvest(0);
  expect("entries reset", machine.reset(), places.length);
}

/**
 * What vCPU 0 pushes when it stores to pages: the pages that are protected. The entries are harvested
 * and reset, so that these pages are protected again.
 *
 * @param machine The machine, with no entry in vCPU 0's ring.
 * @param gfns The pages' guest frames.
 * @returns Each entry as `slot:offset`, in their order: a processor's buffer may be read backwards.
 * @throws {CheckFailure} Where the guest stops in another way, or not all entries are counted.
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
 * @returns Each as `slot:offset`, by slot and by offset.
 */
export function placeNames(places: readonly Place[]): string[] {
  return places
    .map(([slot, offset]) => [slot, Number(offset)] as const)
    .sort((a, b) => a[0] - b[0] || a[1] - b[1])
    .map(([slot, offset]) => `${slot}:${offset}`);
}
