import { Alarm } from "./alarm.ts";
import { batchesOf } from "./batches_of.ts";
import type { Check } from "./check.ts";
import { type CheckAnswer, Known } from "./check_answer.ts";
import type { CheckHost } from "./check_host.ts";
import { expect, expectThat } from "./expect.ts";
import type { Machine } from "./machine.ts";
import { ascending, numbers } from "./numbers.ts";
import { RING } from "./sources.ts";
import { storePages } from "./store_pages.ts";

/** Pages whose entries are reset at a time: as many as a machine's list takes. */
const PAGES = 8192;
/** Room for all of them, with PML also. */
const RING_BYTES = 2 * PAGES * 16;
/** When the signal comes, in microseconds: a walk takes from some hundreds to some thousands. */
const DELAYS = [200, 100, 400, 50, 800, 150, 300, 25];
/** Calls that may be needed to finish a reset, each ended by a stray signal. */
const FINISHING_CALLS = 100;

function machineFor(host: CheckHost): Machine {
  return host.machine({ ringBytes: RING_BYTES, pages: PAGES, hostPages: PAGES });
}

// Runs of pages, by turns from the lower and from the upper half: each run is a batch of its own.
function inRuns(length: number): number[] {
  return numbers(PAGES).map((n) => {
    const run = Math.floor(n / length);
    const half = run % 2 * PAGES / 2;
    return half + Math.floor(run / 2) * length + n % length;
  });
}

// Calls until the rest is reset, without a signal of our own.
function finishReset(machine: Machine, rest: number): void {
  let left = rest;
  for (let calls = 0; left > 0 && calls < FINISHING_CALLS; calls++) {
    const answer = machine.reset();
    expectThat("a further call", answer >= 0 && answer <= left, `0 to ${left}`, answer);
    left -= answer;
  }
  expect("entries left by further calls", left, 0);
  expect("a call with nothing left", machine.reset(), 0);
}

function signalEndsWalk(host: CheckHost): CheckAnswer {
  // Before v6.17 a reset holds out whatever comes: all entries are reset, each time.
  const isLookedAt = host.since("6.17");
  const machine = machineFor(host);
  const pages = inRuns(1);
  using alarm = new Alarm(host.kernel);
  // Where none is looked at it makes no difference when it comes: a few are enough.
  const delays = DELAYS.filter((_, n) => isLookedAt || n % 3 === 0);
  for (const [n, delay] of delays.entries()) {
    storePages(machine, pages);
    const harvested = machine.harvest(0);
    const answer = alarm.reset(machine, delay);
    const isCount = answer >= 0 && answer <= harvested;
    expectThat("a reset that a signal may end", isCount, `0 to ${harvested}`, answer);
    if (!isLookedAt) expect("entries reset, with a signal on the way", answer, harvested);
    expect("entries still held", machine.held(0).length, harvested - answer);
    finishReset(machine, harvested - answer);
    if (answer === harvested) continue;
    return `a signal ended the walk after ${answer} of ${harvested} entries, in try ${n + 1}`;
  }
  return isLookedAt
    ? `no signal fell into the call in ${delays.length} tries`
    : `before v6.17 signals are not looked at: all ${PAGES} entries were reset in each of ` +
      `${delays.length} tries`;
}

function signalLosesBatch(host: CheckHost): CheckAnswer {
  host.needs("6.17");
  const machine = machineFor(host);
  const pages = inRuns(64);
  storePages(machine, pages);
  using alarm = new Alarm(host.kernel);
  let ended = 0;
  for (const [n, delay] of DELAYS.entries()) {
    const from = machine.fetch(0);
    const harvested = machine.harvest(0);
    const answer = alarm.reset(machine, delay);
    const isCount = answer >= 0 && answer <= harvested;
    expectThat("a reset that a signal may end", isCount, `0 to ${harvested}`, answer);
    const gathered = lastBatch(machine, from, answer);
    finishReset(machine, harvested - answer);
    storePages(machine, pages);
    const again = new Set(machine.dirty(0));
    const lost = ascending(pages.filter((page) => !again.has(page)));
    if (answer < harvested) ended++;
    if (lost.length === 0) continue;
    expect("pages that were not logged again", lost, gathered);
    return new Known(
      `a reset of ${harvested} entries ended after ${answer}, in try ${n + 1}: ` +
        `${lost.length} not logged again, pages ${lost[0]} to ${lost.at(-1)}, which is the batch ` +
        "that the rule of v6.17 puts there (modelled)",
    );
  }
  return ended === 0
    ? `no signal fell into the call in ${DELAYS.length} tries`
    : `nothing was lost, though a signal ended ${ended} of ${DELAYS.length} calls`;
}

// The pages of the batch that was being gathered when a walk ended, ascending.
function lastBatch(machine: Machine, from: number, count: number): number[] {
  const entries = numbers(count, from).map((index) => {
    const { slot, offset } = machine.entry(0, index); // a reset leaves both as they were
    return [slot, offset] as const;
  });
  const batch = batchesOf(entries).at(-1);
  if (batch === undefined) return [];
  const { offset, mask } = batch;
  return numbers(64).filter((bit) => (mask >> BigInt(bit) & 1n) === 1n)
    .map((bit) => Number(offset) + bit);
}

/** The statements of "Resetting" on signals. */
export const RESET_SIGNAL_CHECKS: readonly Check[] = [
  {
    id: "reset.signal",
    statement:
      "since v6.17 a pending signal ends the walk early, with the partial count and not EINTR",
    source: `${RING}, v6.17`,
    where: "live",
    run: signalEndsWalk,
  },
  {
    id: "reset.signal-lost-batch",
    statement: "a signal leaves the batch being gathered counted but not re-protected",
    source: `${RING}, v6.17`,
    where: "live",
    run: signalLosesBatch,
  },
];
