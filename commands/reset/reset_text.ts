import type { ResetPass } from "../../drive/reset_pass.ts";
import { kernelStateText, labHead, lostText, timesNote } from "../../report/notes.ts";
import { sortText } from "../../report/sort_text.ts";
import { type Align, countText, oneLine, table, timeText } from "../../report/table.ts";
import type { ResetResult } from "./reset.ts";

const ALIGNS: readonly Align[] = ["left", "right", "right", "right", "right", "right"];

/**
 * Formats the result of `dirtyring reset` for people.
 *
 * @returns Lines with their ends.
 */
export function* resetText(result: ResetResult): Generator<string> {
  yield* labHead(result);
  for (const { vcpu, exit, stores, done } of result.vcpus) {
    if (!done) yield `vCPU ${vcpu}  ${exit} after ${countText(stores, "store")}\n`;
  }
  for (const [n, pass] of result.passes.entries()) {
    yield result.passes.length === 1 ? "\n" : `\npass ${n + 1}\n`;
    if (result.sort !== null) yield "sorted in the ring by slot and offset, then marked\n";
    yield* passText(pass);
  }
  if (result.sort !== null) yield* sortText(result.sort, result.kernel.backend);
  else yield* timesNote(result.kernel.backend, false, "");
  for (const problem of result.problems) yield `PROBLEM: ${oneLine(problem)}\n`;
  yield* lostText(result.lost);
}

function* passText({ rings, reset, resetNs }: ResetPass): Generator<string> {
  const sum = (field: "dirty" | "harvested" | "reset" | "left") =>
    `${rings.reduce((total, ring) => total + ring[field], 0)}`;
  yield* table([
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
  ], ALIGNS);
  yield `KVM_RESET_DIRTY_RINGS returned ${reset} in ${timeText(resetNs)}` +
    (reset === 0 ? "\n" : `, ${timeText(resetNs / reset)} an entry\n`);
  yield* kernelStateText(rings);
}
