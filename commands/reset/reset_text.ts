import type { ResetPass } from "../../drive/reset_pass.ts";
import {
  interruptedText,
  kernelStateText,
  labHead,
  lostText,
  MODEL_TIMES,
} from "../../report/notes.ts";
import type { Page } from "../../report/page.ts";
import { sortText } from "../../report/sort_text.ts";
import { type Align, countText, oneLine, table, timeText } from "../../report/table.ts";
import type { ResetResult } from "./reset.ts";

const ALIGNS: readonly Align[] = ["left", "right", "right", "right", "right", "right"];

/**
 * Formats the result of `dirtyring reset` for people.
 *
 * @param page Where it is written. A reset that is quiet tells of problems and lost pages alone.
 * @returns Lines with their ends.
 */
export function* resetText(
  result: ResetResult,
  _options: unknown,
  page: Page,
): Generator<string> {
  yield* labHead(result, page);
  if (!page.quiet) yield* passesText(result, page);
  yield* interruptedText(result.interrupted, page);
  for (const problem of result.problems) yield `PROBLEM: ${oneLine(problem)}\n`;
  yield* lostText(result.lost);
}

function* passesText(result: ResetResult, page: Page): Generator<string> {
  for (const { vcpu, exit, stores, done } of result.vcpus) {
    if (!done) yield `vCPU ${vcpu}  ${exit} after ${countText(stores, "store")}\n`;
  }
  for (const [n, pass] of result.passes.entries()) {
    if (n > 0 || page.header) yield "\n";
    if (result.passes.length > 1) yield `${page.ink.bold(`pass ${n + 1}`)}\n`;
    if (result.sort !== null) yield "sorted in the ring by slot and offset, then marked\n";
    yield* passText(pass, n === 0 ? null : n, page);
  }
  const { sort, kernel: { backend } } = result;
  if (sort !== null) yield* sortText(sort, backend, page);
  else if (page.times && backend === "model") yield `  ${MODEL_TIMES}\n`;
}

function sumOf(
  { rings }: ResetPass,
  field: "dirty" | "harvested" | "reset" | "left",
): number {
  return rings.reduce((total, ring) => total + ring[field], 0);
}

function* passText(
  pass: ResetPass,
  passBefore: number | null,
  page: Page,
): Generator<string> {
  const { rings, reset, resetNs } = pass;
  const sum = (field: Parameters<typeof sumOf>[1]) => `${sumOf(pass, field)}`;
  const rows = [
    ["ring", "dirty", "harvested", "reset", "left", "stopped at"],
    ...rings.map(({ vcpu, dirty, harvested, reset, left, stoppedAt }) => [
      `vCPU ${vcpu}`,
      `${dirty}`,
      `${harvested}`,
      `${reset}`,
      `${left}`,
      stoppedAt === null ? "-" : `${stoppedAt}`,
    ]),
    ["total", sum("dirty"), sum("harvested"), sum("reset"), sum("left"), ""],
  ];
  yield* table(rows, ALIGNS, "", { page, heads: 1 });
  const time = ` in ${timeText(resetNs)}` +
    (reset === 0 ? "" : `, ${timeText(resetNs / reset)} an entry`);
  yield `KVM_RESET_DIRTY_RINGS returned ${reset}${page.times ? time : ""}\n`;
  // A reset stops at an entry that was not harvested. The pass that harvests it also resets those
  // behind it, which the pass before had harvested.
  const earlier = reset - sumOf(pass, "harvested");
  if (passBefore !== null && earlier > 0) {
    yield `  ${earlier} of them were harvested in pass ${passBefore}, behind the gap\n`;
  }
  yield* kernelStateText(rings, page);
}
