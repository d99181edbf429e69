// A ring entry, as the pure algorithms see it: words of 32 bits, four an entry. The numbers are those
// of `struct kvm_dirty_gfn`; a test holds them against ffi/, which this folder does not import.

/** Words of 32 bits in an entry. */
export const ENTRY_WORDS = 4;
/** Words of 32 bits in a page. */
export const PAGE_WORDS = 1024;
/** Index of the flags word in an entry. */
export const FLAGS = 0;
/** Index of the slot word in an entry: address space << 16 | slot id. */
export const SLOT = 1;
/** Index of the offset's low word in an entry; the high word follows. Offsets count pages. */
export const OFFSET = 2;
/** Flag: KVM filled the entry (`KVM_DIRTY_GFN_F_DIRTY`). */
export const DIRTY = 1;
/** Flag: the program harvested the entry (`KVM_DIRTY_GFN_F_RESET`). */
export const HARVESTED = 2;

/** The state that an entry's flags stand for. */
export type EntryState = "invalid" | "dirty" | "harvested";

/**
 * The state of an entry. KVM looks at bit 1 alone to tell a harvested one (`dirty_gfn_is_harvested`,
 * virt/kvm/dirty_ring.c).
 *
 * @example
 * ```ts
 * import { entryState } from "./entry.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([0, 1, 2, 3].map(entryState), ["invalid", "dirty", "harvested", "harvested"]);
 * ```
 *
 * @param flags The entry's flags.
 * @returns Its state.
 */
export function entryState(flags: number): EntryState {
  if ((flags & HARVESTED) !== 0) return "harvested";
  return (flags & DIRTY) !== 0 ? "dirty" : "invalid";
}
