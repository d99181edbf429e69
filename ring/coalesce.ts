import { type Entries, ENTRY_WORDS, OFFSET, SLOT } from "./entry.ts";

/**
 * Why a batch ended: the next entry is of another slot (or address space); it lies 64 or more pages
 * ahead of the base; 64 or more behind it; less than 64 behind, but shifting the mask would push bits
 * out of it; or there is no next entry.
 */
export type BatchEnd =
  | "otherSlot"
  | "forwardWindow"
  | "backwardWindow"
  | "maskOverflow"
  | "ringEnd";

/** A batch: the pages that a reset hands to one `kvm_reset_dirty_gfn` call. */
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
  /** Entries gathered, duplicates included. */
  entries: number;
  /** Why it ended. */
  end: BatchEnd;
}

// BITS_PER_LONG of the kernel: the pages that a mask can name.
const MASK_BITS = 64;

/**
 * Gathers entries into batches as `kvm_dirty_ring_reset` does (virt/kvm/dirty_ring.c, the same rule
 * since v5.11). The kernel does not tell its batches: what this finds is *modelled*.
 *
 * Arithmetic is on 64 bits, in two words, and wraps; the distance to the next offset is signed.
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
 * @param visit Called with each batch; the object is reused for the next.
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

// Takes an entry into the batch, or says why it cannot.
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

// Shifts the mask left by 1 to 63 bits, unless one would be lost.
function shift(batch: Batch, by: number): boolean {
  const { maskLow, maskHigh } = batch;
  if (by < 32) {
    if (maskHigh >>> (32 - by) !== 0) return false;
    batch.maskHigh = (maskHigh << by) | (maskLow >>> (32 - by));
    batch.maskLow = maskLow << by;
    return true;
  }
  // By 32 or more, all that is left of the high word is what comes up from the low one.
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
 * @returns How many bits are set.
 */
export function maskPages(maskLow: number, maskHigh: number): number {
  return bits(maskLow) + bits(maskHigh);
}

// Adds the bits of a word pairwise, then by fours, and sums the bytes.
function bits(word: number): number {
  const pairs = word - ((word >>> 1) & 0x5555_5555);
  const fours = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

/** The kernel version whose rule counts `kvm_reset_dirty_gfn` calls; each holds until the next. */
export type Rule = "v5.11" | "v6.10" | "v6.17";

/** All rules, oldest first. */
export const RULES: readonly Rule[] = ["v5.11", "v6.10", "v6.17"];

/**
 * The rule of a kernel release. A release that cannot be read is taken for a new one.
 *
 * @example
 * ```ts
 * import { ruleOf } from "./coalesce.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(["5.15.0-91-generic", "6.12.1", "6.18.44"].map(ruleOf), ["v5.11", "v6.10", "v6.17"]);
 * ```
 *
 * @param release What uname(2) calls the release, `6.18.44`.
 * @returns The newest rule that is not newer than the release.
 */
export function ruleOf(release: string): Rule {
  const version = releaseNumber(release);
  if (Number.isNaN(version)) return "v6.17";
  return version >= 6017 ? "v6.17" : version >= 6010 ? "v6.10" : "v5.11";
}

/**
 * How often a reset calls `kvm_reset_dirty_gfn` (virt/kvm/dirty_ring.c). Up to v6.16 each ring's walk
 * begins by flushing a batch that holds nothing yet (from v6.10 on that call returns at once); since
 * v6.17 it does not.
 *
 * @param rule The kernel version.
 * @param batches Batches found.
 * @param windows Ring walks: one for each ring in each reset call, also where nothing was harvested.
 */
export function resetCalls(rule: Rule, batches: number, windows: number): number {
  return rule === "v6.17" ? batches : batches + windows;
}

/**
 * A kernel release as a number that can be compared: 1000 times the major version plus the minor one.
 *
 * @example
 * ```ts
 * import { releaseNumber } from "./coalesce.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(["6.18.44", "5.15.0-91-generic", "x"].map(releaseNumber), [6018, 5015, NaN]);
 * ```
 *
 * @param release What uname(2) calls the release, or its beginning: `6.18`.
 * @returns The number; NaN where the text is no release.
 */
export function releaseNumber(release: string): number {
  const [major, minor] = release.split(".").map((part) => Number.parseInt(part, 10));
  return (major ?? NaN) * 1000 + (minor ?? NaN);
}
