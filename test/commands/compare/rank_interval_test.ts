// The rank test behind a comparison: its critical values, how often it is wrong, and what it finds.
import { assert, assertEquals } from "@std/assert";
import {
  CONFIDENCE,
  criticalValue,
  exactValue,
  FEWEST,
  normalValue,
  ratioInterval,
  ratioOf,
} from "../../../commands/compare/rank_interval.ts";
import { median } from "../../../ring/distribution.ts";

Deno.test("exactValue() is what tables of the test of Mann and Whitney have for 1 %", () => {
  const table = [
    ...[[5, 5, 0], [5, 6, 1], [5, 8, 2], [5, 10, 4], [6, 6, 2], [7, 12, 12], [8, 8, 7]],
    ...[[9, 9, 11], [10, 10, 16], [15, 15, 51], [20, 20, 105]],
  ] as const;
  for (const [n, m, value] of table) {
    assertEquals([exactValue(n, m), exactValue(m, n)], [value, value], `${n} ${m}`);
  }
  assertEquals(exactValue(4, 4), -1, "of four and four nothing can be told");
  assertEquals(exactValue(FEWEST, FEWEST), 0);
});

Deno.test("normalValue() is never greater than exactValue(), and hardly smaller", () => {
  for (const [n, m] of [[20, 101], [45, 45], [30, 80], [60, 60]] as const) {
    const [exact, normal] = [exactValue(n, m), normalValue(n, m)];
    assert(normal <= exact && normal >= exact - 5, `${n} ${m}: ${normal} of ${exact}`);
    assertEquals(criticalValue(m, n), normal);
  }
});

Deno.test("ratioOf() takes zeros for the same, and all else for infinitely more", () => {
  assertEquals([ratioOf(0, 0), ratioOf(0, 2), ratioOf(2, 0), ratioOf(4, 2)], [1, Infinity, 0, 0.5]);
});

Deno.test("ratioInterval() of fewer than five values is none", () => {
  assertEquals(ratioInterval([1, 1, 1, 1], [9, 9, 9, 9, 9, 9]), null);
  assertEquals(ratioInterval([9, 9, 9, 9, 9, 9], [1, 1, 1, 1]), null);
  assertEquals(ratioInterval([], []), null);
  assertEquals(ratioInterval([2, 2, 2, 2, 2], [3, 3, 3, 3, 3]), { low: 1.5, high: 1.5 });
  assertEquals(ratioInterval([0, 0, 0, 0, 0], [0, 0, 3, 3, 3]), { low: 1, high: Infinity });
});

/** Numbers from 0 to 1 of a seed. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Times as they are measured: most close to the least, and now and then one far above. */
const NOISES: Readonly<Record<string, (random: () => number) => number>> = {
  even: (random) => 100 + 10 * random(),
  skewed: (random) => 100 - 8 * Math.log(1 - random()),
  outliers: (random) => (random() < 0.1 ? 400 : 100) * (1 + 0.05 * random()),
  coarse: (random) => 100 + Math.floor(4 * random()),
};

function sample(random: () => number, count: number, noise: (random: () => number) => number) {
  return Array.from({ length: count }, () => noise(random));
}

type Tells = (before: readonly number[], after: readonly number[]) => boolean;

const tells: Tells = (before, after) => {
  const interval = ratioInterval(before, after);
  return interval !== null && (interval.low > 1 || interval.high < 1);
};

/** The share of pairs of samples of the same noise that are told apart. */
function wronglyTold(tells: Tells, count: number, noise: (random: () => number) => number): number {
  const PAIRS = 1500;
  const random = chance(count);
  let told = 0;
  for (let n = 0; n < PAIRS; n++) {
    if (tells(sample(random, count, noise), sample(random, count, noise))) told++;
  }
  return told / PAIRS;
}

// Of 1500 pairs 15 may be told apart by chance, and up to 27 by three standard deviations more.
const ALLOWED = 1 - CONFIDENCE + 3 * Math.sqrt((1 - CONFIDENCE) * CONFIDENCE / 1500);

Deno.test("samples of the same noise are told apart no more often than is said", () => {
  for (const [name, noise] of Object.entries(NOISES)) {
    for (const count of [5, 12, 40]) {
      const share = wronglyTold(tells, count, noise);
      assert(share <= ALLOWED, `${name}, ${count}: ${share}`);
    }
  }
});

Deno.test("a rule that is wrong more often is found", () => {
  const byMedian: Tells = (before, after) => {
    const ratio = median(after)! / median(before)!;
    return ratio > 1.02 || ratio < 0.98;
  };
  const byOne: Tells = (before, after) => {
    const ratios = before.flatMap((one) => after.map((other) => other / one)).toSorted((a, b) =>
      a - b
    );
    const cut = criticalValue(before.length, after.length) + 4;
    return ratios[cut]! > 1 || ratios.at(-1 - cut)! < 1;
  };
  assert(wronglyTold(byMedian, 12, NOISES["skewed"]!) > ALLOWED);
  assert(wronglyTold(byOne, 5, NOISES["even"]!) > ALLOWED);
});

Deno.test("a time that grew by 5 % is told, whatever its noise, where that is smaller", () => {
  const random = chance(1);
  let missed = 0;
  for (let n = 0; n < 300; n++) {
    const before = sample(random, 41, NOISES["even"]!);
    const after = sample(random, 41, NOISES["even"]!).map((ns) => ns * 1.05);
    assert(tells(before, after), `pair ${n}`);
    const { low, high } = ratioInterval(before, after)!;
    if (low > 1.05 || high < 1.05) missed++;
  }
  // Of 300 intervals three may miss it by chance, and five more.
  assert(missed <= 8, `${missed}`);
});

Deno.test("of a long sample values are taken all over it", () => {
  const steps = Array.from({ length: 5000 }, (_, n) => n < 2500 ? 100 : 300);
  const { low, high } = ratioInterval(Array.from({ length: 5000 }, () => 100), steps)!;
  assertEquals([low, high], [1, 3]);
});
