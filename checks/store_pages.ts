import { storeTo } from "./forged.ts";
import type { Machine } from "./machine.ts";

/**
 * Lets a vCPU store to pages of slot 1, to the end of the list.
 *
 * @param machine The machine.
 * @param pages The pages, counted from slot 1's base.
 * @param vcpu The vCPU.
 * @throws {CheckFailure} Where the guest stops in another way.
 */
export function storePages(machine: Machine, pages: readonly number[], vcpu = 0): void {
  storeTo(machine, pages.map((page) => machine.gfn + page), vcpu);
}
