import type { SortCost, SortSide } from "../drive/measure.ts";
import type { LabResult } from "../machine/guest_vm.ts";
import { timesNote } from "./notes.ts";
import { countText, numberText, table, timeText } from "./table.ts";

/**
 * Formats what sorting in the ring cost and saved, and whether it paid.
 *
 * @param backend Which kernel answered: times of the model are only its own.
 * @returns Lines with their ends; the first line is blank.
 */
export function* sortText(
  sort: SortCost,
  backend: LabResult["kernel"]["backend"],
): Generator<string> {
  const { repetitions, plain, sorted, emulated } = sort;
  if (repetitions === 0) {
    yield "\nsorting not measured: the run ended early\n";
    return;
  }
  yield `\nsorting in the ring, measured: median of ${
    countText(repetitions, "round")
  } each, in turn\n`;
  const row = (name: string, time: (side: SortSide) => number | null) => [
    name,
    timeText(time(plain)),
    timeText(time(sorted)),
    "an entry",
  ];
  yield* table(
    [
      ["", "plain", "sorted", ""],
      row("harvest, with sorting", (side) => side.harvestNsPerEntry),
      row("KVM_RESET_DIRTY_RINGS", (side) => side.resetNsPerEntry),
      row("together", together),
      ["batches, modelled", `${plain.batches}`, `${sorted.batches}`, "a round"],
    ],
    ["left", "right", "right", "left"],
    "  ",
  );
  yield* timesNote(backend, emulated, "what sorting saves");
  yield `${verdict(sort)}\n`;
}

function together({ harvestNsPerEntry, resetNsPerEntry }: SortSide): number | null {
  if (harvestNsPerEntry === null || resetNsPerEntry === null) return null;
  return harvestNsPerEntry + resetNsPerEntry;
}

function verdict({ plain, sorted, ratio, faster, repetitions }: SortCost): string {
  const cost = (sorted.harvestNsPerEntry ?? 0) - (plain.harvestNsPerEntry ?? 0);
  const saved = (plain.resetNsPerEntry ?? 0) - (sorted.resetNsPerEntry ?? 0);
  const amount = (ns: number) => ns > 0 ? timeText(ns) : "nothing";
  const paid = ratio !== null && ratio > 1;
  const change = ratio === null
    ? "no ratio"
    : paid
    ? `${numberText(ratio)} times as fast`
    : `${numberText(1 / ratio)} times as slow`;
  return `sorting cost ${amount(cost)} and saved ${amount(saved)} an entry: ` +
    `${paid ? "it paid" : "it did not pay"}\n` +
    `  together ${change}; sorted was faster in ${faster} of ${countText(repetitions, "round")}`;
}
