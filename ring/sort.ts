import { allocateEntries, type Entries } from "./entries.ts";
import { ENTRY_WORDS, OFFSET, SLOT } from "./entry.ts";

// Slot and low word of the offset share the 53 bits that a number holds exactly.
const SLOT_LIMIT = 2 ** 21;
const WORD = 2 ** 32;

/**
 * A copy of entries, sorted by slot and then by offset (unsigned), with flags 0: the order in which
 * consecutive pages of a slot stand together.
 *
 * @example
 * ```ts
 * import { entriesOf } from "./entries.ts";
 * import { sorted } from "./sort.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(sorted(entriesOf([[2, 0], [1, 9], [1, 3]])), entriesOf([[1, 3], [1, 9], [2, 0]]));
 * ```
 *
 * @param entries The entries.
 * @returns New entries.
 */
export function sorted(entries: Entries): Entries {
  return narrow(entries) ?? wide(entries);
}

// Genuine entries: one float each, sorted natively.
function narrow({ words, length }: Entries): Entries | null {
  const keys = new Float64Array(length);
  for (let n = 0, at = 0; n < length; n++, at += ENTRY_WORDS) {
    const slot = words[at + SLOT]!;
    if (words[at + OFFSET + 1] !== 0 || slot >= SLOT_LIMIT) return null;
    keys[n] = slot * WORD + words[at + OFFSET]!;
  }
  keys.sort();
  const result = allocateEntries(length);
  result.length = length;
  for (let n = 0, at = 0; n < length; n++, at += ENTRY_WORDS) {
    const key = keys[n]!;
    result.words[at + SLOT] = Math.floor(key / WORD);
    result.words[at + OFFSET] = key % WORD;
  }
  return result;
}

// Forged entries, with offsets of up to 64 bits or slots beyond any that exist.
function wide({ words, length }: Entries): Entries {
  const order = Array.from({ length }, (_, n) => n * ENTRY_WORDS);
  order.sort((a, b) =>
    words[a + SLOT]! - words[b + SLOT]! ||
    words[a + OFFSET + 1]! - words[b + OFFSET + 1]! ||
    words[a + OFFSET]! - words[b + OFFSET]!
  );
  const result = allocateEntries(length);
  result.length = length;
  order.forEach((from, n) => {
    const at = n * ENTRY_WORDS;
    result.words[at + SLOT] = words[from + SLOT]!;
    result.words[at + OFFSET] = words[from + OFFSET]!;
    result.words[at + OFFSET + 1] = words[from + OFFSET + 1]!;
  });
  return result;
}
