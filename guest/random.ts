/** A source of whole numbers: the same seed gives the same numbers on every host. */
export type Random = (below: number) => number;

/**
 * A generator of 32-bit words in integer arithmetic alone (sfc32 of Chris Doty-Humphrey's PractRand,
 * public domain: three words and a counter), seeded with a number.
 *
 * @example
 * ```ts
 * import { seeded } from "./random.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const first = seeded(1), again = seeded(1);
 * assertEquals([first(100), first(100)], [again(100), again(100)]);
 * ```
 *
 * @param seed 0 to 2^53 − 1.
 * @returns A function that answers a whole number from 0 to below its argument, which is at most 2^32.
 */
export function seeded(seed: number): Random {
  let a = seed >>> 0;
  let b = Math.floor(seed / 2 ** 32) >>> 0;
  let c = 0x9e37_79b9;
  let counter = 1;
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  // The seed's words reach every bit of the state after a dozen steps.
  for (let n = 0; n < 15; n++) next();
  return (below) => Math.floor((next() / 2 ** 32) * below);
}
