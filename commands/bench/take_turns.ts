// Measuring several things fairly: in turn, after warming up, with medians and quartiles.

import type { Interrupt } from "../../host/interrupt.ts";
import { allocatePageNumbers, type PageNumbers, scanBitmap } from "../../memory/page_sets.ts";
import { quantile } from "../../ring/distribution.ts";
import { DIRTY, ENTRY_WORDS, OFFSET } from "../../ring/entry.ts";
import { Harvester, warmHarvest } from "../../ring/harvest.ts";

/**
 * One of the things that take turns: runs once and returns its cost; `null` if it was not
 * completed.
 */
export type Turn<Cost> = () => Promise<Cost | null>;

const MOST_REPETITIONS = 101;
const ENOUGH_REPETITIONS = 5;
/** After enough repetitions, further ones begin only until this much time has passed. */
const SPEND_MS = 2000;
/** However few repetitions there are: none begins after this. */
const LIMIT_MS = 15_000;
/**
 * Most turns that are not counted: they fault memory in and let loops be compiled. There is always
 * one.
 */
const WARM_TURNS = 20;
const WARM_MS = 200;

/**
 * Measures several things repeatedly, in turn, so that all meet the same noise. Each repetition
 * begins with another of them. The first rounds warm up and are dropped.
 *
 * @param turns The things.
 * @param repetitions How many; if `undefined`, as many as fit into the time.
 * @param options `warmUp: false` if the things warm up by themselves.
 * @returns A row for each repetition, with the cost of each thing. Incomplete repetitions are
 * dropped.
 */
export async function takeTurns<Cost>(
  turns: readonly Turn<Cost>[],
  repetitions: number | undefined,
  interrupt: Interrupt,
  options: { readonly warmUp: boolean } = { warmUp: true },
): Promise<Cost[][]> {
  const rows: Cost[][] = [];
  const warming = performance.now();
  for (let n = 0; options.warmUp && n < WARM_TURNS; n++) {
    if (n > 0 && performance.now() - warming > WARM_MS) break;
    if (await oneRow(turns, n, interrupt) === null) return rows;
  }
  const started = performance.now();
  while (wantsMore(rows.length, performance.now() - started, repetitions)) {
    const row = await oneRow(turns, rows.length, interrupt);
    if (row === null) break;
    rows.push(row);
  }
  return rows;
}

function wantsMore(done: number, spentMs: number, repetitions: number | undefined): boolean {
  if (repetitions !== undefined) return done < repetitions;
  if (done >= MOST_REPETITIONS || spentMs > LIMIT_MS) return false;
  return done < ENOUGH_REPETITIONS || spentMs < SPEND_MS;
}

async function oneRow<Cost>(
  turns: readonly Turn<Cost>[],
  first: number,
  interrupt: Interrupt,
): Promise<Cost[] | null> {
  const row = new Array<Cost>(turns.length);
  for (let n = 0; n < turns.length; n++) {
    await interrupt.pause();
    if (interrupt.signal !== null) return null;
    const at = (first + n) % turns.length;
    const cost = await turns[at]!();
    if (cost === null) return null;
    row[at] = cost;
  }
  return row;
}

/** How values spread. */
export interface Spread {
  /** Their median. */
  readonly median: number;
  /** The least value. */
  readonly min: number;
  /** The greatest value. */
  readonly max: number;
  /** The lower quartile. */
  readonly q1: number;
  /** The upper quartile. */
  readonly q3: number;
}

/**
 * Computes how values spread.
 *
 * @example
 * ```ts
 * import { spreadOf } from "./take_turns.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(spreadOf([5, 1, 3, 2, 4]), { median: 3, min: 1, max: 5, q1: 2, q3: 4 });
 * ```
 *
 * @param values At least one value, in any order.
 * @returns Their spread; quantiles between two values are interpolated.
 * @throws {RangeError} If there are no values.
 */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError("Cannot tell the spread of no values");
  return {
    median: quantile(values, 0.5),
    min: quantile(values, 0),
    max: quantile(values, 1),
    q1: quantile(values, 0.25),
    q3: quantile(values, 0.75),
  };
}

const ENTRIES = 2048;
const WORDS = 4096;
const TIMES = 200;
/** A prime, so that offsets are in no order. */
const STEP = 7919;
const PAGES = 2 ** 22;

/**
 * These stay alive: V8 drops compiled code with the last object of the shape that it was compiled
 * for.
 */
const kept: (Harvester | PageNumbers)[] = [];

/**
 * Lets V8 compile the loops that are measured, on made-up rings and bitmaps. Otherwise whatever is
 * measured first would pay for the compilation.
 */
export function warmBench(): void {
  if (kept.length > 0) return;
  warmHarvest();
  const ring = new Uint32Array(ENTRIES * ENTRY_WORDS);
  const harvester = new Harvester(ring);
  const bitmap = new Uint32Array(WORDS);
  const found = allocatePageNumbers(WORDS * 32);
  kept.push(harvester, found);
  for (let n = 0; n < TIMES; n++) {
    for (let entry = 0; entry < ENTRIES; entry++) {
      ring[entry * ENTRY_WORDS] = DIRTY;
      ring[entry * ENTRY_WORDS + OFFSET] = (entry * STEP * (n + 1)) % PAGES;
    }
    // Few entries are sorted in another way than many: warm up both.
    harvester.takeSorted(n % 2 === 0 ? ENTRIES : ENTRIES / 16);
    for (let word = n % 64; word < WORDS; word += 64) {
      bitmap[word] = bitmap[word]! ^ (1 << (n % 32));
    }
    found.length = 0;
    scanBitmap(bitmap, 0, found);
  }
}
