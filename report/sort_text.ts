import type { SortCost, SortSide } from "../drive/measure.ts";
import type { LabResult } from "../machine/guest_vm.ts";
import { countsNote, timesNote } from "./notes.ts";
import type { Page } from "./page.ts";
import { type Align, countText, numberText, table, timeText } from "./table.ts";

/**
 * Formats what sorting in the ring changed: the batches and, where times are shown, what it cost
 * and saved. Whether it paid is said of a kernel alone: times of the model are only its own.
 *
 * @param backend Which kernel answered.
 * @param page Where it is written.
 * @returns Lines with their ends; the first line is blank.
 */
export function* sortText(
  sort: SortCost,
  backend: LabResult["kernel"]["backend"],
  page: Page,
): Generator<string> {
  const { times, ink } = page;
  const { repetitions, plain, sorted, emulated } = sort;
  if (plain.entries === 0 || (times && repetitions === 0)) {
    yield `\nsorting not ${times ? "measured" : "counted"}: the run ended early\n`;
    return;
  }
  if (!times) {
    yield `\n${ink.bold("sorting in the ring, by what resets of one round find")}\n`;
    yield* table(
      [
        ["", "plain", "sorted"],
        ["entries", `${plain.entries}`, `${sorted.entries}`],
        ["batches, modelled", `${plain.batches}`, `${sorted.batches}`],
        ["entries a batch, mean", entriesPerBatch(plain), entriesPerBatch(sorted)],
      ],
      ["left", "right", "right"],
      "  ",
      { page, heads: 1 },
    );
    yield* countsNote(emulated);
    return;
  }
  const often = `median of ${countText(repetitions, "round")} each, in turn`;
  yield `\n${ink.bold(`sorting in the ring, measured: ${often}`)}\n`;
  const row = (name: string, time: (side: SortSide) => number | null) => [
    name,
    timeText(time(plain)),
    timeText(time(sorted)),
    "an entry",
  ];
  const aligns: readonly Align[] = ["left", "right", "right", "left"];
  yield* table(
    [
      ["", "plain", "sorted", ""],
      row("harvest, with sorting", (side) => side.harvestNsPerEntry),
      row("KVM_RESET_DIRTY_RINGS", (side) => side.resetNsPerEntry),
      row("together", together),
      ["batches, modelled", `${plain.batches}`, `${sorted.batches}`, "a round"],
    ],
    aligns,
    "  ",
    { page, heads: 1 },
  );
  yield* timesNote(backend, emulated, "what sorting saves");
  if (backend !== "model") yield `${verdict(sort)}\n`;
}

function entriesPerBatch({ entries, batches }: SortSide): string {
  return numberText(batches === 0 ? null : entries / batches);
}

function together({ harvestNsPerEntry, resetNsPerEntry }: SortSide): number | null {
  if (harvestNsPerEntry === null || resetNsPerEntry === null) return null;
  return harvestNsPerEntry + resetNsPerEntry;
}

function verdict({ plain, sorted, ratio, faster, repetitions }: SortCost): string {
  const cost = (sorted.harvestNsPerEntry ?? 0) - (plain.harvestNsPerEntry ?? 0);
  const saved = (plain.resetNsPerEntry ?? 0) - (sorted.resetNsPerEntry ?? 0);
  const paid = ratio !== null && ratio > 1;
  const change = ratio === null
    ? "no ratio"
    : paid
    ? `${numberText(ratio)} times as fast`
    : `${numberText(1 / ratio)} times as slow`;
  return `${costText(cost, saved)}: ${paid ? "it paid" : "it did not pay"}\n` +
    `  together ${change}; sorted was faster in ${faster} of ${countText(repetitions, "round")}`;
}

// What sorting cost the harvest and saved the reset, in nanoseconds an entry.
function costText(cost: number, saved: number): string {
  const sorting = cost > 0 ? `sorting cost ${timeText(cost)} an entry` : "sorting cost no time";
  return saved > 0
    ? `${sorting}, and the reset saved ${timeText(saved)} an entry`
    : `${sorting}, and the reset was no faster for it`;
}
