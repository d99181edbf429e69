// The dirty ring, to be read beside virt/kvm/dirty_ring.c, whose functions it is named after. The entries
// stand in memory that the program maps; the two indices do not.
import type { PushStep, ResetCall } from "../ffi/insight.ts";
import { KVM_DIRTY_GFN_F_DIRTY, KVM_DIRTY_GFN_F_RESET } from "../ffi/kvm_constants.ts";
import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";
import type { Rules } from "./rules.ts";

const ENTRY_WORDS = kvm_dirty_gfn.size / 4;
const FLAGS = kvm_dirty_gfn.at.flags / 4;
const SLOT = kvm_dirty_gfn.at.slot / 4;
const OFFSET = kvm_dirty_gfn.at.offset / 4;

/** `struct kvm_dirty_ring`. */
export interface DirtyRing {
  /** The entries, as the program maps them. */
  readonly dirty_gfns: Uint32Array<ArrayBuffer>;
  /** Size in entries, a power of two. */
  readonly size: number;
  /** Entries in use from which a guest entry reports a full ring. */
  readonly soft_limit: number;
  /** Where the next push goes: a free-running u32. */
  dirty_index: number;
  /** Where the next reset begins: a free-running u32. */
  reset_index: number;
}

/** What a reset needs of the rest of the kernel. */
export interface ResetContext {
  /** Whether `signal_pending(current)`: asked once an entry. */
  signal_pending(): boolean;
  /** `kvm_reset_dirty_gfn`: re-protects the pages of a batch. */
  kvm_reset_dirty_gfn(call: ResetCall): void;
}

/** What a walk over a ring came to. */
export interface ResetWalk {
  /** Entries reset. */
  readonly count: number;
  /** Whether a signal ended it: the batch that was being gathered is lost. */
  readonly interrupted: boolean;
}

/**
 * Allocates a ring.
 *
 * @param rules The kernel's.
 * @param bytes Its size.
 * @returns The ring, empty.
 */
export function kvm_dirty_ring_alloc(rules: Rules, bytes: number): DirtyRing {
  const size = bytes / kvm_dirty_gfn.size;
  return {
    dirty_gfns: new Uint32Array(bytes / 4),
    size,
    soft_limit: size - rules.reservedEntries,
    dirty_index: 0,
    reset_index: 0,
  };
}

/**
 * Entries pushed and not reset yet.
 *
 * @param ring The ring.
 * @returns Entries.
 */
export function kvm_dirty_ring_used(ring: DirtyRing): number {
  return (ring.dirty_index - ring.reset_index) >>> 0;
}

/**
 * Whether the soft limit is reached.
 *
 * @param ring The ring.
 * @returns Whether it is.
 */
export function kvm_dirty_ring_soft_full(ring: DirtyRing): boolean {
  return kvm_dirty_ring_used(ring) >= ring.soft_limit;
}

/**
 * Whether a push would overwrite an entry that is still in use.
 *
 * @param ring The ring.
 * @returns Whether it would.
 */
export function kvm_dirty_ring_full(ring: DirtyRing): boolean {
  return kvm_dirty_ring_used(ring) >= ring.size;
}

/**
 * Pushes an entry. The flags come last, so that a reader who sees them sees the rest too. A full ring is
 * overwritten: the kernel warns and goes on.
 *
 * @param ring The ring.
 * @param slot Address space << 16 | slot id.
 * @param offset Pages from the slot's base; a genuine one has 31 bits.
 * @param watch Called after each step.
 */
export function kvm_dirty_ring_push(
  ring: DirtyRing,
  slot: number,
  offset: number,
  watch: ((step: PushStep, index: number) => void) | null,
): void {
  const index = ring.dirty_index % ring.size;
  const { dirty_gfns } = ring;
  const at = index * ENTRY_WORDS;
  dirty_gfns[at + SLOT] = slot;
  watch?.("slot", index);
  dirty_gfns[at + OFFSET] = offset;
  dirty_gfns[at + OFFSET + 1] = 0;
  watch?.("offset", index);
  dirty_gfns[at + FLAGS] = KVM_DIRTY_GFN_F_DIRTY;
  watch?.("flags", index);
  ring.dirty_index = (ring.dirty_index + 1) >>> 0;
}

function kvm_dirty_gfn_harvested(flags: number): boolean {
  return (flags & KVM_DIRTY_GFN_F_RESET) !== 0;
}

/**
 * Takes harvested entries back, in order, up to the first that is not harvested, and gathers them into
 * batches of pages that lie near each other.
 *
 * @param ring The ring.
 * @param rules The kernel's.
 * @param context What re-protects pages and knows of signals.
 * @param maximum The most entries to take.
 * @returns Entries taken, and whether a signal ended the walk.
 */
export function kvm_dirty_ring_reset(
  ring: DirtyRing,
  rules: Rules,
  context: ResetContext,
  maximum: number,
): ResetWalk {
  const { dirty_gfns } = ring;
  const batch = { slot: 0, offset: 0n, mask: 0n };
  let count = 0;
  let is_first = true;
  const flush = () => {
    if (!is_first || rules.emptyFirstCall) context.kvm_reset_dirty_gfn({ ...batch });
  };
  while (count < maximum) {
    if (rules.signalEndsReset && context.signal_pending()) return { count, interrupted: true };
    const at = (ring.reset_index % ring.size) * ENTRY_WORDS;
    if (!kvm_dirty_gfn_harvested(dirty_gfns[at + FLAGS]!)) break;
    // Read again from the mapping: the program may have rewritten them.
    const slot = dirty_gfns[at + SLOT]!;
    const offset = (BigInt(dirty_gfns[at + OFFSET + 1]!) << 32n) | BigInt(dirty_gfns[at + OFFSET]!);
    dirty_gfns[at + FLAGS] = 0;
    ring.reset_index = (ring.reset_index + 1) >>> 0;
    count++;
    if (!is_first && slot === batch.slot && join(batch, offset, rules.maskBits)) continue;
    flush();
    batch.slot = slot;
    batch.offset = offset;
    batch.mask = 1n;
    is_first = false;
  }
  flush();
  return { count, interrupted: false };
}

// Takes a page into a batch, ahead of its base or behind it, unless the mask has no room for both.
function join(batch: { offset: bigint; mask: bigint }, offset: bigint, bits: number): boolean {
  const delta = BigInt.asIntN(64, offset - batch.offset);
  if (delta >= 0n && delta < bits) {
    batch.mask |= 1n << delta;
    return true;
  }
  if (delta < 0n && delta > -bits) {
    const shifted = batch.mask << -delta;
    if (BigInt.asUintN(bits, shifted) !== shifted) return false;
    batch.offset = offset;
    batch.mask = shifted | 1n;
    return true;
  }
  return false;
}
