import type { Machine } from "./machine.ts";

/**
 * The flags of a ring's first entries.
 *
 * @param machine The machine.
 * @param count Entries.
 * @param vcpu The vCPU whose ring it is.
 * @returns Their flags, in the order of the mapping.
 */
export function flagsOf(machine: Machine, count: number, vcpu = 0): number[] {
  return Array.from({ length: count }, (_, index) => machine.entry(vcpu, index).flags);
}
