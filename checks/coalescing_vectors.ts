/** A sequence of entries whose number of batches is documented. */
export interface CoalescingVector {
  /** The offsets in ring order, as docs/abi.md writes them. */
  readonly text: string;
  /** The entries: slot A is 1, slot B is 2. */
  readonly entries: readonly (readonly [slot: number, offset: number])[];
  /** Batches that a reset makes of them. */
  readonly batches: number;
}

/** The slot that docs/abi.md calls A, or does not name. */
const A = 1;
/** Its slot B. */
const B = 2;

// Offsets from one to another, both included, upwards or downwards.
function span(from: number, to: number): number[] {
  const step = Math.sign(to - from);
  return Array.from({ length: Math.abs(to - from) + 1 }, (_, n) => from + n * step);
}

function one(text: string, offsets: readonly number[], batches: number): CoalescingVector {
  return { text, entries: offsets.map((offset) => [A, offset]), batches };
}

/** The vectors of docs/abi.md, in its order. */
export const COALESCING_VECTORS: readonly CoalescingVector[] = [
  one("0..63", span(0, 63), 1),
  one("0..64", span(0, 64), 2),
  one("63..0", span(63, 0), 1),
  one("64..0", span(64, 0), 2),
  one("10, 73, 9", [10, 73, 9], 2),
  one("10, 9, 73", [10, 9, 73], 2),
  one("10, 73, 10, 9", [10, 73, 10, 9], 2),
  one("0, 64, 1", [0, 64, 1], 2),
  one("0, 128, 1", [0, 128, 1], 3),
  one("100, 37", [100, 37], 1),
  one("100, 36", [100, 36], 2),
  one("5, 5, 5", [5, 5, 5], 1),
  { text: "A0, B0, A1", entries: [[A, 0], [B, 0], [A, 1]], batches: 3 },
  one("7, 5, 6, 300, 299, 1023", [7, 5, 6, 300, 299, 1023], 3),
];
