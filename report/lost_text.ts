import type { LostCause, LostPages } from "../ring/lost_page.ts";
import { countText } from "./units.ts";

const SHOWN = 10;

const CAUSES: Readonly<Record<LostCause, string>> = {
  "ring overflow": "the ring overflowed",
  "signal during reset": "a signal ended the reset early, and a batch was lost",
  "read before reset":
    "it was read before its reset, not re-protected by it, or an entry for it is missing",
  "never harvested": "its entry was never pushed, or not harvested",
};

/**
 * How many pages were lost.
 *
 * @param lost The pages.
 * @returns A line without its end.
 */
export function lostNote(lost: LostPages): string {
  return `LOST: ${countText(lost.count, "page")} hold${
    lost.count === 1 ? "s" : ""
  } a store that no ` +
    "entry announced";
}

/**
 * The pages that were lost; nothing where none was.
 *
 * @param lost The pages.
 * @returns Lines with their ends.
 */
export function* lostText(lost: LostPages): Generator<string> {
  if (lost.count === 0) return;
  yield `${lostNote(lost)}\n`;
  for (const { slot, offset, gfn, vcpu, counter, read, cause } of lost.pages.slice(0, SHOWN)) {
    const last = read === null ? "nothing was read there" : `${read} was read there last`;
    yield `  slot ${slot}, offset ${offset}, gfn 0x${
      gfn.toString(16)
    }: store ${counter} of vCPU ${vcpu}, ` +
      `${last}; most likely ${CAUSES[cause]}\n`;
  }
  const left = lost.count - Math.min(SHOWN, lost.pages.length);
  if (left > 0) yield `  and ${left} more (--format json lists up to 100)\n`;
}
