import { interruptedText, kernelStateLine, labHead, lostText } from "../../report/notes.ts";
import { type Page, PLAIN_PAGE } from "../../report/page.ts";
import { countText, PAGE_BYTES, table } from "../../report/table.ts";
import type { DumpedEntry, DumpedRing, DumpResult } from "./dump.ts";

const HEAD = ["index", "flags", "as", "slot", "offset", "gfn", "gpa"];

/**
 * Formats the result of `dirtyring dump` for people.
 *
 * @param options `limit`: how many entries of each ring are shown.
 * @param page Where it is written. Of a dump that is quiet only lost pages are left.
 * @returns Lines with their ends.
 */
export function* dumpText(
  result: DumpResult,
  options: { readonly limit: number | undefined },
  page: Page = PLAIN_PAGE,
): Generator<string> {
  yield* labHead(result, page);
  if (page.header) yield* slot0Text(result);
  for (const [n, ring] of (page.quiet ? [] : result.rings).entries()) {
    const { entries } = ring;
    const dirty = entries.filter(({ state }) => state === "dirty").length;
    const count = countText(entries.length, "entry", "entries");
    if (n > 0 || page.header) yield "\n";
    yield `${page.ink.bold(`vCPU ${ring.vcpu}`)}  ${ring.exit} after ${
      countText(ring.stores, "store")
    }, ` +
      `${dirty === entries.length ? count : `${dirty} dirty of ${count}`}\n`;
    if (ring.kernelState !== null) yield `  ${kernelStateLine(ring.kernelState)}\n`;
    const shown = entries.slice(0, options.limit ?? entries.length);
    if (shown.length > 0) {
      yield* table(
        [HEAD, ...shown.map(cells)],
        ["right", "left", "right", "right", "right", "right", "right"],
        "  ",
        { page, heads: 1 },
      );
    }
    const left = entries.length - shown.length;
    if (left > 0) yield `  ${countText(left, "entry", "entries")} left out by --limit\n`;
    const note = ringFullNote(ring);
    if (note !== null) yield `  ${page.ink.warn(note)}\n`;
  }
  yield* interruptedText(result.interrupted, page);
  yield* lostText(result.lost);
}

// Why the first page of the pattern is not at gfn 0. Logged slots lie behind slot 0, from id 1 on.
function* slot0Text({ rings }: DumpResult): Generator<string> {
  const first = rings.flatMap(({ entries }) => entries).find(({ slot, gfn }) =>
    slot === 1 && gfn !== null
  );
  if (first === undefined || first.gfn === null) return;
  const base = first.gfn - Number(first.offset);
  yield `        slot 0, below gfn 0x${base.toString(16)}, holds the guest's code and lists: ` +
    "it is not logged\n";
}

function cells({ index, flags, addressSpace, slot, offset, gfn }: DumpedEntry): string[] {
  // What KVM has not written yet names no page.
  if (flags === 0 && slot === 0 && offset === 0) return [`${index}`, flagsText(flags)];
  return [
    `${index}`,
    flagsText(flags),
    `${addressSpace}`,
    `${slot}`,
    `${offset}`,
    gfn === null ? "-" : `0x${gfn.toString(16)}`,
    gfn === null ? "-" : `0x${(gfn * PAGE_BYTES).toString(16)}`,
  ];
}

/**
 * A note for a vCPU that stopped because its ring was full.
 *
 * @returns A line without its end; `null` if the vCPU stopped for another reason.
 */
export function ringFullNote({ vcpu, exit, done, stores, entries }: DumpedRing): string | null {
  if (exit !== "KVM_EXIT_DIRTY_RING_FULL") return null;
  const dirty = entries.filter(({ state }) => state === "dirty").length;
  const rest = done
    ? ""
    : dirty > stores
    ? "; that of the last entry is not made yet, nor is the rest (see dirtyring run)"
    : ", the rest is not made (see dirtyring run)";
  return `vCPU ${vcpu}: the ring is full after ${countText(stores, "store")}${rest}`;
}

/**
 * The names of an entry's flags.
 *
 * @returns `-` for none, `DIRTY`, `RESET`, `DIRTY|RESET`; unknown bits in hexadecimal.
 */
export function flagsText(flags: number): string {
  const names = [];
  if (flags & 1) names.push("DIRTY");
  if (flags & 2) names.push("RESET");
  const rest = (flags & ~3) >>> 0;
  if (rest !== 0) names.push(`0x${rest.toString(16)}`);
  return names.length === 0 ? "-" : names.join("|");
}
