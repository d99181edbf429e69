import type { PageList } from "../ring/witness.ts";
import { countText } from "./units.ts";

const SHOWN = 10;

/**
 * How many pages were lost.
 *
 * @param lost The pages.
 * @returns A line without its end.
 */
export function lostNote(lost: PageList): string {
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
export function* lostText(lost: PageList): Generator<string> {
  if (lost.count === 0) return;
  yield `${lostNote(lost)}\n`;
  for (const { slot, offset, gfn } of lost.pages.slice(0, SHOWN)) {
    yield `  slot ${slot}, offset ${offset}, gfn 0x${gfn.toString(16)}\n`;
  }
  const left = lost.count - Math.min(SHOWN, lost.pages.length);
  if (left > 0) yield `  and ${left} more (--format json lists up to 100)\n`;
}
