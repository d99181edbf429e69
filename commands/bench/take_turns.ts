import type { Interrupt } from "../../host/interrupt.ts";
import { allocatePageNumbers, type PageNumbers, scanBitmap } from "../../memory/page_sets.ts";
import { quantile } from "../../ring/distribution.ts";
import { DIRTY, ENTRY_WORDS, OFFSET } from "../../ring/entry.ts";
import { Harvester, warmHarvest } from "../../ring/harvest.ts";

/** One of the things that take turns: does it once and answers what it cost; `null` where it did not end. */
export type Turn<Cost> = () => Promise<Cost | null>;

const MOST_REPETITIONS = 101;
const ENOUGH_REPETITIONS = 5;
/** Repetitions go on at least this long, and no longer than the second once they are enough. */
const SPEND_MS = 2000;
/** However few the repetitions: none begins after this. */
const LIMIT_MS = 15_000;
/** Turns before the first that counts, which fault memory in and let loops be compiled: one at least. */
const WARM_TURNS = 20;
const WARM_MS = 200;

/**
 * Does several things again and again, in turn, so that all meet the same noise; each repetition begins with
 * another of them. What the first rounds cost is dropped.
 *
 * @param turns The things.
 * @param repetitions How often; `undefined` goes by the time that it takes.
 * @param options Where each does its own warming up, none is done here.
 * @returns A row for each repetition, with the cost of each thing; whole repetitions alone.
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

/** How some values spread. */
export interface Spread {
  /** Their median. */
  readonly median: number;
  /** The least. */
  readonly min: number;
  /** The greatest. */
  readonly max: number;
  /** A quarter of them lies below. */
  readonly q1: number;
  /** A quarter of them lies above. */
  readonly q3: number;
}

/**
 * How some values spread.
 *
 * @example
 * ```ts
 * import { spreadOf } from "./take_turns.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(spreadOf([5, 1, 3, 2, 4]), { median: 3, min: 1, max: 5, q1: 2, q3: 4 });
 * ```
 *
 * @param values The values, in any order.
 * @returns Their spread; quantiles between two values are interpolated.
 * @throws {RangeError} Where there is none.
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
/** A prime, so that offsets come in no order; and pages of a large slot. */
const STEP = 7919;
const PAGES = 2 ** 22;

/** V8 throws compiled code away with the last object of the shape that it was compiled for: these stay. */
const kept: (Harvester | PageNumbers)[] = [];

/**
 * Lets V8 compile the loops whose time is measured, on made-up rings and bitmaps: whichever is measured first
 * would otherwise pay for it.
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
    // Few entries are sorted in another way than many.
    harvester.takeSorted(n % 2 === 0 ? ENTRIES : ENTRIES / 16);
    for (let word = n % 64; word < WORDS; word += 64) {
      bitmap[word] = bitmap[word]! ^ (1 << (n % 32));
    }
    found.length = 0;
    scanBitmap(bitmap, 0, found);
  }
}
