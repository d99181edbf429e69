import { seeded } from "../guest/random.ts";

/**
 * A list in a random order (Fisher and Yates).
 *
 * @param list The list.
 * @param seed The same seed gives the same order.
 * @returns A new list.
 */
export function shuffle<One>(list: readonly One[], seed: number): One[] {
  const random = seeded(seed);
  const shuffled = [...list];
  for (let n = shuffled.length - 1; n > 0; n--) {
    const other = random(n + 1);
    [shuffled[n], shuffled[other]] = [shuffled[other]!, shuffled[n]!];
  }
  return shuffled;
}
