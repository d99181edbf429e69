// Digits of up to 11 bits: their counts take 8 KiB, which stay in the first-level cache.
const DIGIT_BITS = 11;
// Below this many keys, setting up the counts costs more than it saves.
const FEW = 1000;

const counts = new Uint32Array(2 ** DIGIT_BITS);

/**
 * Sorts words of 32 bits, by digits from the lowest to the highest: for the thousands of a ring this
 * takes a third of the time of the arrays' own sort.
 *
 * @example
 * ```ts
 * import { radixSort } from "./radix_sort.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const keys = Uint32Array.of(5, 3, 4, 9);
 * assertEquals([...radixSort(keys, 3, new Uint32Array(3), 3).subarray(0, 3)], [3, 4, 5]);
 * ```
 *
 * @param keys The words; overwritten.
 * @param length How many of them to sort, from the first on.
 * @param spare Room for as many; overwritten.
 * @param bits Bits beyond which all words are 0.
 * @returns Either array: the one that holds the sorted words.
 */
export function radixSort(
  keys: Uint32Array<ArrayBuffer>,
  length: number,
  spare: Uint32Array<ArrayBuffer>,
  bits: number,
): Uint32Array<ArrayBuffer> {
  if (length < FEW) {
    keys.subarray(0, length).sort();
    return keys;
  }
  const passes = Math.ceil(bits / DIGIT_BITS);
  const width = Math.ceil(bits / passes);
  let from = keys;
  let to = spare;
  for (let pass = 0; pass < passes; pass++) {
    sortDigit(from, to, length, pass * width, 2 ** width);
    [from, to] = [to, from];
  }
  return from;
}

// One digit, keeping the order of words that have the same.
function sortDigit(
  from: Uint32Array<ArrayBuffer>,
  to: Uint32Array<ArrayBuffer>,
  length: number,
  shift: number,
  values: number,
): void {
  const mask = values - 1;
  counts.fill(0, 0, values);
  for (let n = 0; n < length; n++) counts[(from[n]! >>> shift) & mask]!++;
  let place = 0;
  for (let value = 0; value < values; value++) {
    const count = counts[value]!;
    counts[value] = place;
    place += count;
  }
  for (let n = 0; n < length; n++) {
    const key = from[n]!;
    to[counts[(key >>> shift) & mask]!++] = key;
  }
}
