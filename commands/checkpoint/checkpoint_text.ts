import type { TrackingKind } from "../../machine/dirty_tracker.ts";
import type { ResolvedOptions } from "../../machine/plan.ts";
import { kernelLine, MODEL_TIMES } from "../../report/notes.ts";
import type { Page } from "../../report/page.ts";
import {
  type Align,
  countText,
  numberText,
  oneLine,
  sizeText,
  table,
  timeText,
} from "../../report/table.ts";
import { printable } from "../../text/printable.ts";
import type { CheckpointResult, Epoch, EpochFigure } from "./checkpoint_result.ts";

/** How many epochs, or pages, are shown one by one. */
const SHOWN = 10;
const MIB = 2 ** 20;

// The names of the two steps for each kind of tracking.
const LEARN: Readonly<Record<TrackingKind, string>> = {
  ring: "harvest",
  bitmap: "get log",
  "bitmap-manual": "get log",
};
const REPROTECT: Readonly<Record<TrackingKind, string>> = {
  ring: "reset",
  bitmap: "re-protect",
  "bitmap-manual": "clear log",
};

/**
 * Describes the machine.
 *
 * @param isModel Whether a model ran it.
 * @returns Lines with their ends.
 */
export function* machineText(
  lab: ResolvedOptions,
  isModel: boolean,
  tracking: TrackingKind,
): Generator<string> {
  const vcpus = `${countText(lab.vcpus, "vCPU")} ${isModel ? "in slices" : "on threads"}`;
  const rings = tracking === "ring" ? `rings of ${lab.ring} entries` : `dirty bitmap`;
  const memory = `${sizeText(lab.memory)} in ${countText(lab.slots, "slot")}`;
  yield `lab     ${lab.guest} guest, ${vcpus}, ${memory}, ${rings}\n`;
  yield `        ${printable(lab.pattern)}, ${
    countText(lab.pages, "store")
  } a pass, seed ${lab.seed}\n`;
}

/**
 * Formats the result of `dirtyring checkpoint` for people.
 *
 * @param page Where it is written. What is quiet tells what did not hold, and the verdict.
 * @returns Lines with their ends.
 */
export function* checkpointText(
  result: CheckpointResult,
  page: Page,
): Generator<string> {
  const { kernel, tracking, interrupted, error } = result;
  if (page.header) {
    yield `${kernelLine(kernel)}\n`;
    yield* machineText(result.lab, kernel.backend === "model", tracking);
  }
  if (!page.quiet) yield* figuresText(result, page);
  const blank = page.quiet ? "" : "\n";
  if (interrupted !== null) {
    yield `${blank}interrupted by ${interrupted}: the last epoch ends there\n`;
  }
  if (error !== null) yield `${blank}ended early: ${oneLine(error)}\n`;
  yield blank;
  yield* differenceText(result);
  yield `${verdict(result)}\n`;
}

function* figuresText(result: CheckpointResult, page: Page): Generator<string> {
  const { kernel, tracking, summary } = result;
  const isModel = kernel.backend === "model";
  yield `epochs  ${timeText(result.intervalNs)}${
    result.maxDirty === null ? "" : `, or ${countText(result.maxDirty, "dirty page")}`
  }, tracking ${tracking}\n\n`;
  yield* epochTable(result, page);
  if (page.times) yield* pauseTable(result, page);
  if (page.times && isModel) yield `  ${MODEL_TIMES}\n`;
  const { p50, p99, max } = summary.figures.overshoot;
  if (max !== null) {
    yield `dirty pages beyond the limit: median ${numberText(p50)}, 99 % ${
      numberText(p99)
    }, most ` +
      `${max}\n`;
  }
  const { overall, median } = summary.copyShare;
  if (page.times && overall !== null) {
    yield `\nthe copy took ${percent(median)} of a pause, median; ${
      percent(overall)
    } of all pauses together\n`;
  }
  yield* outputText(result);
}

function* epochTable(
  { kernel, epochs, epochCount, maxDirty, output }: CheckpointResult,
  page: Page,
): Generator<string> {
  const { times, clock } = page;
  const isLimited = maxDirty !== null;
  const isWritten = output !== null;
  const head = [
    ...["epoch", ...(clock ? ["ran"] : []), "ended by", "full exits", "dirty pages"],
    ...(isLimited ? ["beyond limit"] : []),
    ...(times ? ["pause"] : []),
    ...(times && isWritten ? ["written in"] : []),
  ];
  const row = (epoch: Epoch) => [
    ...[`${epoch.epoch}`, ...(clock ? [timeText(epoch.ranNs)] : []), epoch.endedBy],
    ...[`${epoch.fullExits}`, `${epoch.dirtyPages}`],
    ...(isLimited ? [`${epoch.overshoot ?? 0}`] : []),
    ...(times ? [timeText(epoch.pauseNs)] : []),
    ...(times && isWritten ? [timeText(epoch.writeNs)] : []),
  ];
  const aligns = head.map((name): Align => name === "ended by" ? "left" : "right");
  yield* table([head, ...epochs.slice(0, SHOWN).map(row)], aligns, "  ", { page, heads: 1 });
  const more = epochCount - Math.min(SHOWN, epochs.length);
  if (more > 0) yield `  and ${more} more (--format json lists up to 1000)\n`;
  if (clock && kernel.backend === "model") {
    yield "  ran: by the model's clock, which counts instructions\n";
  }
}

function* pauseTable(
  { summary: { figures }, tracking, output }: CheckpointResult,
  page: Page,
): Generator<string> {
  const row = (what: string, name: EpochFigure) => {
    const { p50, p99, max } = figures[name];
    return [what, timeText(p50), timeText(p99), timeText(max)];
  };
  yield "\n";
  yield* table(
    [
      ["", "median", "99 %", "longest"],
      row("pause", "pauseNs"),
      row("  until all stand still", "stopNs"),
      ...(output === null ? [] : [row("  waiting for the last file", "waitNs")]),
      row(`  ${LEARN[tracking]}`, "learnNs"),
      row(`  ${REPROTECT[tracking]}`, "rearmNs"),
      row("  copy of dirty pages", "copyNs"),
      ...(output === null ? [] : [row("  copy of slot 0, registers", "stateNs")]),
      row("  until all run", "resumeNs"),
      ...(output === null ? [] : [row("writing, beside the vCPUs", "writeNs")]),
    ],
    ["left", "right", "right", "right"],
    "  ",
    { page, heads: 1 },
  );
}

function* outputText({ output }: CheckpointResult): Generator<string> {
  if (output === null || output.files === 0) return;
  const size = `${(output.bytes / MIB).toFixed(1)} MiB`;
  yield `${countText(output.files, "file")} in ${
    printable(output.folder)
  }, ${size}, up to epoch ${output.lastEpoch}\n`;
}

function* differenceText(result: CheckpointResult): Generator<string> {
  for (const problem of result.problems) yield `PROBLEM: ${oneLine(problem)}\n`;
  if (!result.slot0Equal) yield "DIFFERENT: slot 0\n";
  const { count, pages } = result.differing;
  if (count === 0) return;
  yield `DIFFERENT: ${countText(count, "page")} of the replica\n`;
  for (const { slot, offset, gfn } of pages.slice(0, SHOWN)) {
    yield `  slot ${slot}, offset ${offset}, gfn 0x${gfn.toString(16)}\n`;
  }
  const more = count - Math.min(SHOWN, pages.length);
  if (more > 0) yield `  and ${more} more (--format json lists up to 100)\n`;
}

function verdict({ ok, equal, epochCount, differing, problems, stores }: CheckpointResult): string {
  if (!ok) {
    return `FAILED: ${countText(differing.count, "different page")}, ${
      countText(problems.length, "problem")
    }`;
  }
  if (equal === null) return "not compared: it ended before the replica could be";
  return `ok: after ${countText(epochCount, "epoch")} and ${
    countText(stores, "store")
  } the replica is the guest's memory, byte for byte`;
}

function percent(part: number | null): string {
  return part === null ? "-" : `${(part * 100).toFixed(0)} %`;
}
