import type { Interrupt } from "../lab/interrupt.ts";

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
 * @param interrupt Ends it early.
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
