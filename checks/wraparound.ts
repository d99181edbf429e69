import { type CheckAnswer, Known } from "./check.ts";
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
  const answers = WRAPAROUNDS.map(({ offsets, names, always }) => {
    const machine = host.machine();
    const gfns = [0, 1, 2, LAST].map((offset) => machine.gfn + offset);
    storeTo(machine, gfns);
    resetForged(machine, [...offsets, LAST].map((offset) => [1, offset]));
    const named = (pages: readonly number[]) =>
      placeNames([...pages, LAST].map((page) => [1, page]));
    const pushed = pushedBy(machine, gfns);
    const what = `pages pushed again after ${offsets.join(", ")}`;
    const [withFix, without] = [named(always), named(names)];
    if (insight !== null) expect(what, pushed, insight.version === "latest" ? withFix : without);
    else if (host.since(FIXED)) expect(what, pushed, withFix);
    else expectOneOf(what, pushed, [withFix, without]);
    return `${pushed}` === `${withFix}`;
  });
  if (answers.every((isFixed) => isFixed)) return "the batch is dropped";
  const told = "the bound check passes, and page 0 is re-protected";
  return insight === null ? new Known(`${told}: the fix of 2026 is missing`) : told;
}
