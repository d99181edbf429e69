// Access patterns: the orders in which a guest dirties pages, and the random generator for some of
// them.

/** The name of a pattern that is generated, not read from a file. */
export type GeneratedName =
  | "sequential"
  | "reverse"
  | "stride"
  | "random"
  | "window"
  | "zigzag"
  | "pingpong"
  | "hot";

/** Whether each generated pattern takes a number after a colon. */
const GENERATED: Readonly<Record<GeneratedName, boolean>> = {
  sequential: false,
  reverse: false,
  stride: true,
  random: false,
  window: true,
  zigzag: false,
  pingpong: false,
  hot: true,
};

/** An access pattern: the order in which the guest dirties pages. */
export type Pattern =
  | { readonly name: GeneratedName; readonly parameter: number }
  | { readonly name: "file"; readonly path: string };

/** The pages over which a generated pattern walks, and how far. */
export interface PatternSpace {
  /** Stores in the sequence. */
  readonly stores: number;
  /** Number of logged pages; page numbers wrap there. */
  readonly pages: number;
  /** First page number of the last slot; with a single slot, of its second half. */
  readonly secondHalf: number;
  /** Pages of the first slot; with a single slot, of its first half. */
  readonly firstHalf: number;
  /** Seed of the random patterns. */
  readonly seed: number;
}

/** The forms of a pattern's text, for help and errors. */
export const PATTERN_FORMS =
  "sequential, reverse, stride:N, random, window:N, zigzag, pingpong, hot:N or file:PATH";

/** The generated patterns as they are begun to be written: `stride:` where a number follows. */
export const PATTERN_WORDS: readonly string[] = Object.entries(GENERATED).map(
  ([name, takesNumber]) => takesNumber ? `${name}:` : name,
);

/** The largest N of a pattern: page numbers have 32 bits. */
const MAX_PARAMETER = 2 ** 32 - 1;

function isGenerated(name: string): name is GeneratedName {
  return Object.hasOwn(GENERATED, name);
}

/**
 * Parses a pattern's text.
 *
 * @example
 * ```ts
 * import { parsePattern } from "./pattern.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(parsePattern("stride:64"), { name: "stride", parameter: 64 });
 * ```
 *
 * @param text `sequential`, `stride:64`, `file:pages.txt` and so on.
 * @throws {SyntaxError} If the text is no pattern.
 */
export function parsePattern(text: string): Pattern {
  const colon = text.indexOf(":");
  const name = colon === -1 ? text : text.slice(0, colon);
  const rest = colon === -1 ? undefined : text.slice(colon + 1);
  if (name === "file") {
    if (rest === undefined || rest === "") throw new SyntaxError("expected file:PATH, or file:-");
    return { name, path: rest };
  }
  if (!isGenerated(name)) throw new SyntaxError(`expected ${PATTERN_FORMS}`);
  if (!GENERATED[name]) {
    if (rest !== undefined) throw new SyntaxError(`${name} takes no number after it`);
    return { name, parameter: 0 };
  }
  const parameter = rest !== undefined && /^\d+$/.test(rest) ? Number(rest) : 0;
  if (parameter < 1 || parameter > MAX_PARAMETER) {
    throw new SyntaxError(`expected ${name}:N with N from 1 to ${MAX_PARAMETER}`);
  }
  return { name, parameter };
}

/**
 * The sequence of page numbers of a generated pattern.
 *
 * @returns A page number for each store.
 */
export function generate(
  pattern: Exclude<Pattern, { name: "file" }>,
  space: PatternSpace,
): Uint32Array<ArrayBuffer> {
  const { stores, pages } = space;
  const { name, parameter } = pattern;
  const sequence = new Uint32Array(stores);
  const fill = (page: (n: number) => number): Uint32Array<ArrayBuffer> => {
    for (let n = 0; n < stores; n++) sequence[n] = page(n);
    return sequence;
  };
  switch (name) {
    case "sequential":
      return fill((n) => n % pages);
    case "reverse":
      return fill((n) => (stores - 1 - n) % pages);
    case "stride":
      return fill((n) => (n * (parameter % pages)) % pages); // below 2^53: both are below 2^32 and 2^21
    case "hot":
      return fill((n) => (n % parameter) % pages);
    case "zigzag": {
      // From the middle outwards, alternating above and below it.
      const middle = pages >> 1;
      return fill((n) => {
        const step = Math.ceil(n / 2) % pages;
        return (n % 2 === 1 ? middle + step : middle - step + pages) % pages;
      });
    }
    case "pingpong": {
      const { firstHalf, secondHalf } = space;
      return fill((n) =>
        n % 2 === 0
          ? (n / 2) % firstHalf
          : (secondHalf + ((n - 1) / 2) % (pages - secondHalf)) % pages
      );
    }
    case "random": {
      const all = Uint32Array.from({ length: pages }, (_, page) => page);
      // Shuffle only the part that is used.
      shuffle(all, 0, pages, seeded(space.seed), Math.min(stores, pages));
      return fill((n) => all[n % pages]!);
    }
    case "window": {
      const all = Uint32Array.from({ length: Math.min(stores, pages) }, (_, page) => page);
      const random = seeded(space.seed);
      for (let from = 0; from < all.length; from += parameter) {
        const to = Math.min(from + parameter, all.length);
        shuffle(all, from, to, random, to - from);
      }
      return fill((n) => all[n % all.length]!);
    }
  }
}

// A Fisher-Yates shuffle from the front: after n steps the first n places are final.
function shuffle(all: Uint32Array, from: number, to: number, random: Random, steps: number): void {
  for (let n = from; n < from + steps; n++) {
    const other = n + random(to - n);
    const page = all[n]!;
    all[n] = all[other]!;
    all[other] = page;
  }
}

/**
 * A random generator: answers whole numbers below its argument. A seed gives the same ones on every
 * host.
 */
export type Random = (below: number) => number;

/**
 * A generator of 32-bit words in integer arithmetic alone (sfc32 of Chris Doty-Humphrey's
 * PractRand, public domain: three words and a counter), seeded with a number.
 *
 * @example
 * ```ts
 * import { seeded } from "./pattern.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const first = seeded(1), again = seeded(1);
 * assertEquals([first(100), first(100)], [again(100), again(100)]);
 * ```
 *
 * @param seed 0 to 2^53 − 1.
 * @returns A function that answers a whole number from 0 to below its argument, which is at most
 * 2^32.
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
  // After a dozen steps the seed has reached every bit of the state.
  for (let n = 0; n < 15; n++) next();
  return (below) => Math.floor((next() / 2 ** 32) * below);
}
