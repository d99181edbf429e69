import { type CheckAnswer, Known } from "./check_answer.ts";
import type { CheckHost } from "./check_host.ts";
import { expect, expectOneOf } from "./expect.ts";
import { placeNames, pushedBy, resetForged, storeTo } from "./forged.ts";
import { needsToHarm } from "./warning.ts";

/** Every kernel from here on has the fix; a release before it does not tell: a distribution's may. */
const FIXED = "7.1";

// Offsets near 2^64, written as negative ones, beside the first pages of a slot; the pages that they name;
// and those of them that are re-protected always, as they are in another batch.
const WRAPAROUNDS: readonly {
  readonly offsets: readonly bigint[];
  readonly names: readonly number[];
  readonly always: readonly number[];
}[] = [
  { offsets: [0n, -1n, -1n], names: [0], always: [] }, // backwards
  { offsets: [-2n, 0n, 1n], names: [0, 1], always: [] }, // forwards, over the end of u64
  { offsets: [0n, -63n, -63n], names: [0], always: [] }, // as wide as a mask
  { offsets: [0n, -64n, -64n], names: [0], always: [0] }, // too far for one batch
  { offsets: [-1n, -1n, -1n], names: [], always: [] }, // the bound check finds it without wrapping
];

/** A page whose entry ends the reset in each case: it is re-protected always. */
const LAST = 300;

/** What became of the pages of a case that the fix decides. */
export interface WrapAnswer {
  /** What was asked, in words. */
  readonly what: string;
  /** The pages pushed again. */
  readonly pushed: readonly string[];
  /** Those of a kernel with the fix. */
  readonly withFix: readonly string[];
  /** Those of one without. */
  readonly without: readonly string[];
}

/**
 * Whether a kernel has the fix, by what it did in every case: one that does as with the fix here and as without it there
 * has another fault.
 *
 * @param answers What it did, one case at least.
 * @returns Whether it has.
 * @throws {CheckFailure} Where it did something else in a case, or not the same in all.
 */
export function hasWrapFix(answers: readonly WrapAnswer[]): boolean {
  for (const { what, pushed, withFix, without } of answers) {
    expectOneOf(what, pushed, [withFix, without]);
  }
  const same = (a: readonly string[], b: readonly string[]) => `${a}` === `${b}`;
  if (answers.every(({ pushed, without }) => same(pushed, without))) return false;
  for (const { what, pushed, withFix } of answers) expect(what, pushed, withFix);
  return true;
}

/**
 * `slot.wraparound`: offsets that wrap the bound of a batch.
 *
 * @param host The host.
 * @returns What became of the batch; a {@linkcode Known} defect on a real kernel without the fix.
 * @throws {CheckSkip} On a real kernel that must not be harmed.
 * @throws {CheckFailure} Where other pages are re-protected, or the fix is missing in a kernel that should have it.
 */
export function wraparound(host: CheckHost): CheckAnswer {
  // Before anything is written.
  needsToHarm(host);
  const { insight } = host.kernel;
  const answers = WRAPAROUNDS.map(({ offsets, names, always }): WrapAnswer => {
    const machine = host.machine();
    const gfns = [0, 1, 2, LAST].map((offset) => machine.gfn + offset);
    storeTo(machine, gfns);
    resetForged(machine, [...offsets, LAST].map((offset) => [1, offset]));
    const named = (pages: readonly number[]) =>
      placeNames([...pages, LAST].map((page) => [1, page]));
    return {
      what: `pages pushed again after ${offsets.join(", ")}`,
      pushed: pushedBy(machine, gfns),
      withFix: named(always),
      without: named(names),
    };
  });
  const isFixed = hasWrapFix(answers);
  if (insight !== null || host.since(FIXED)) {
    expect("whether it has the fix", isFixed, insight === null || insight.version === "latest");
  }
  if (isFixed) return "the batch is dropped";
  const told = "the bound check passes, and page 0 is re-protected";
  return insight === null ? new Known(`${told}: the fix of 2026 is missing`) : told;
}
