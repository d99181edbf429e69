// The batches that a reset makes of entries, and the number of its calls.
import { type Entries, ENTRY_WORDS, OFFSET, SLOT } from "./entry.ts";

/**
 * Why a batch ended: the next entry is of another slot (or address space); it is 64 or more pages
 * ahead of the base; it is 64 or more pages behind it; it is fewer than 64 pages behind, but
 * shifting the mask would lose bits; or there is no next entry.
 */
export type BatchEnd =
  | "otherSlot"
  | "forwardWindow"
  | "backwardWindow"
  | "maskOverflow"
  | "ringEnd";

/** A batch: the pages that a reset passes to one `kvm_reset_dirty_gfn` call. */
export interface Batch {
  /** Address space << 16 | slot id. */
  slot: number;
  /** Low word of the base: the offset of mask bit 0, in pages. */
  offsetLow: number;
  /** High word of the base. */
  offsetHigh: number;
  /** Low word of the mask: bit `n` is page base + n. */
  maskLow: number;
  /** High word of the mask: bits 32 to 63. */
  maskHigh: number;
  /** The number of its entries, duplicates included. */
  entries: number;
  /** Why it ended. */
  end: BatchEnd;
}

// The kernel's BITS_PER_LONG: the pages that a mask can name.
const MASK_BITS = 64;

/**
 * Gathers entries into batches as `kvm_dirty_ring_reset` does (virt/kvm/dirty_ring.c, the same rule
 * since v5.11). The kernel does not report its batches, so the result is *modelled*.
 *
 * Arithmetic is 64 bits wide, in two words, and wraps; the distance to the next offset is signed.
 *
 * @example
 * ```ts
 * import { coalesce } from "./coalesce.ts";
 * import { entriesOf } from "./entry.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const ends: string[] = [];
 * coalesce(entriesOf([[1, 0], [1, 64], [1, 1]]), (batch) => ends.push(batch.end));
 * assertEquals(ends, ["forwardWindow", "ringEnd"]); // 64 and 1 share a batch: one step back
 * ```
 *
 * @param entries One ring's entries, in the order in which they are reset.
 * @param visit Called with each batch. The object is reused for the next one.
 */
export function coalesce(entries: Entries, visit: (batch: Readonly<Batch>) => void): void {
  const { words, length } = entries;
  if (length === 0) return;
  const batch: Batch = {
    slot: words[SLOT]!,
    offsetLow: words[OFFSET]!,
    offsetHigh: words[OFFSET + 1]!,
    maskLow: 1,
    maskHigh: 0,
    entries: 1,
    end: "ringEnd",
  };
  for (let at = ENTRY_WORDS; at < length * ENTRY_WORDS; at += ENTRY_WORDS) {
    const slot = words[at + SLOT]!;
    const low = words[at + OFFSET]!;
    const high = words[at + OFFSET + 1]!;
    const end = join(batch, slot, low, high);
    if (end === null) {
      batch.entries++;
      continue;
    }
    batch.end = end;
    visit(batch);
    batch.slot = slot;
    batch.offsetLow = low;
    batch.offsetHigh = high;
    batch.maskLow = 1;
    batch.maskHigh = 0;
    batch.entries = 1;
  }
  batch.end = "ringEnd";
  visit(batch);
}

// Adds an entry to the batch, or returns why it cannot.
function join(batch: Batch, slot: number, low: number, high: number): BatchEnd | null {
  if (slot !== batch.slot) return "otherSlot";
  const deltaLow = (low - batch.offsetLow) | 0;
  const borrow = low < batch.offsetLow ? 1 : 0;
  const deltaHigh = (high - batch.offsetHigh - borrow) | 0;

  if (deltaHigh === 0 && deltaLow >= 0 && deltaLow < MASK_BITS) {
    if (deltaLow < 32) batch.maskLow |= 1 << deltaLow;
    else batch.maskHigh |= 1 << (deltaLow - 32);
    return null;
  }
  if (deltaHigh === -1 && deltaLow < 0 && deltaLow > -MASK_BITS) {
    if (!shift(batch, -deltaLow)) return "maskOverflow";
    batch.offsetLow = low;
    batch.offsetHigh = high;
    batch.maskLow |= 1;
    return null;
  }
  return deltaHigh < 0 ? "backwardWindow" : "forwardWindow";
}

// Shifts the mask left by 1 to 63 bits, unless a set bit would be lost.
function shift(batch: Batch, by: number): boolean {
  const { maskLow, maskHigh } = batch;
  if (by < 32) {
    if (maskHigh >>> (32 - by) !== 0) return false;
    batch.maskHigh = (maskHigh << by) | (maskLow >>> (32 - by));
    batch.maskLow = maskLow << by;
    return true;
  }
  // If it is shifted by 32 or more, the new high word comes from the low word only.
  if (maskHigh !== 0 || (by > 32 && maskLow >>> (64 - by) !== 0)) return false;
  batch.maskHigh = maskLow << (by - 32);
  batch.maskLow = 0;
  return true;
}

/**
 * The pages that a mask names.
 *
 * @param maskLow Bits 0 to 31.
 * @param maskHigh Bits 32 to 63.
 * @returns The number of set bits.
 */
export function maskPages(maskLow: number, maskHigh: number): number {
  return bits(maskLow) + bits(maskHigh);
}

// Adds the bits of a word in pairs, then in fours, and sums the bytes.
function bits(word: number): number {
  const pairs = word - ((word >>> 1) & 0x5555_5555);
  const fours = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

/**
 * The kernel version from which on a rule for the number of `kvm_reset_dirty_gfn` calls holds,
 * until the next one.
 */
export type Rule = "v5.11" | "v6.10" | "v6.17";

/** All rules, oldest first. */
export const RULES: readonly Rule[] = ["v5.11", "v6.10", "v6.17"];

/**
 * The rule of a kernel release. A text that is no release gets the newest rule.
 *
 * @example
 * ```ts
 * import { ruleOf } from "./coalesce.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(["5.15.0-91-generic", "6.12.1", "6.18.44"].map(ruleOf), ["v5.11", "v6.10", "v6.17"]);
 * ```
 *
 * @param release The release as in uname(2), such as `6.18.44`.
 * @returns The newest rule that is not newer than the release.
 */
export function ruleOf(release: string): Rule {
  const version = releaseNumber(release);
  if (Number.isNaN(version)) return "v6.17";
  return version >= 6017 ? "v6.17" : version >= 6010 ? "v6.10" : "v5.11";
}

/**
 * How often a reset calls `kvm_reset_dirty_gfn` (virt/kvm/dirty_ring.c). Up to v6.16, each ring's
 * walk begins by flushing an empty batch (from v6.10 on, that call returns at once); since v6.17 it
 * does not.
 *
 * @param batches The number of batches.
 * @param windows The number of ring walks: one for each ring in each reset call, even if nothing
 * was harvested.
 */
export function resetCalls(rule: Rule, batches: number, windows: number): number {
  return rule === "v6.17" ? batches : batches + windows;
}

/**
 * A kernel release as a comparable number: 1000 times the major version, plus the minor version.
 *
 * @example
 * ```ts
 * import { releaseNumber } from "./coalesce.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(["6.18.44", "5.15.0-91-generic", "x"].map(releaseNumber), [6018, 5015, NaN]);
 * ```
 *
 * @param release The release as in uname(2), or its beginning, such as `6.18`.
 * @returns The number; NaN if the text is no release.
 */
export function releaseNumber(release: string): number {
  const [major, minor] = release.split(".").map((part) => Number.parseInt(part, 10));
  return (major ?? NaN) * 1000 + (minor ?? NaN);
}
