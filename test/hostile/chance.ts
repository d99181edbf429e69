import { type Random, seeded } from "../../guest/pattern.ts";

/** Picks an element of a list. */
export function pick<One>(random: Random, list: readonly One[]): One {
  const one = list[random(list.length)];
  if (one === undefined) throw new RangeError("Cannot pick from nothing");
  return one;
}

/** Picks an element of a list, with a probability in proportion to its weight. */
export function weighted<One>(random: Random, list: readonly (readonly [number, One])[]): One {
  let at = random(list.reduce((sum, [weight]) => sum + weight, 0));
  for (const [weight, one] of list) {
    if (at < weight) return one;
    at -= weight;
  }
  throw new RangeError("Cannot pick from nothing");
}

/** True with a probability of 1 in `n`. */
export function once(random: Random, n: number): boolean {
  return random(n) === 0;
}

/**
 * The random generator of a case. It depends only on the arguments: FNV-1a of format and seed, and
 * the number.
 */
export function chanceOf(format: string, seed: number, number: number): Random {
  let hash = 0x811c_9dc5;
  for (const letter of `${format}/${seed}`) {
    hash = Math.imul(hash ^ letter.codePointAt(0)!, 0x0100_0193) >>> 0;
  }
  return seeded((hash % 2 ** 21) * 2 ** 32 + (number % 2 ** 32));
}
