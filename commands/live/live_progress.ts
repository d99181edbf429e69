import type { Page } from "../../report/page.ts";
import { cutTo, widthOf } from "../../report/layout.ts";
import { gauge } from "../../report/table.ts";
import type { LiveProgress } from "./live_result.ts";

/** The state of a vCPU since the last output. */
export interface VcpuRate {
  /** The vCPU. */
  readonly vcpu: number;
  /** Entries harvested from its ring per second, since the last output. */
  readonly perSecond: number;
  /** The largest part of its ring that a harvest found dirty since the last output, from 0 to 1. */
  readonly occupancy: number;
  /** Full exits since the run began. */
  readonly fullExits: number;
}

/** The state of a live run since the last output. */
export interface Rates {
  /** Seconds since the run began. */
  readonly seconds: number;
  /** The vCPUs. */
  readonly vcpus: readonly VcpuRate[];
  /** Entries harvested per second, over all vCPUs. */
  readonly perSecond: number;
  /** Full exits since the run began, over all vCPUs. */
  readonly fullExits: number;
}

/**
 * Turns the progress of a run into rates, at most once in an interval.
 *
 * @param everyMs Length of the interval in milliseconds, by the run's clock.
 * @returns A function that takes the progress and returns rates if they are due, otherwise `null`.
 */
function liveRates(
  ring: number,
  everyMs: number,
): (progress: LiveProgress) => Rates | null {
  let before: Pick<LiveProgress, "elapsedNs" | "vcpus"> = { elapsedNs: 0, vcpus: [] };
  let dueNs = everyMs * 1e6;
  let most: number[] = [];
  return (progress) => {
    most = progress.vcpus.map(({ occupancy }, n) => Math.max(occupancy, most[n] ?? 0));
    if (progress.elapsedNs < dueNs) return null;
    while (dueNs <= progress.elapsedNs) dueNs += everyMs * 1e6;
    const seconds = (progress.elapsedNs - before.elapsedNs) / 1e9;
    const vcpus = progress.vcpus.map(({ vcpu, entries, fullExits }, n) => ({
      vcpu,
      fullExits,
      occupancy: most[n]! / ring,
      perSecond: (entries - (before.vcpus[vcpu]?.entries ?? 0)) / seconds,
    }));
    before = progress;
    most = [];
    return {
      seconds: progress.elapsedNs / 1e9,
      vcpus,
      perSecond: vcpus.reduce((sum, { perSecond }) => sum + perSecond, 0),
      fullExits: vcpus.reduce((sum, { fullExits }) => sum + fullExits, 0),
    };
  };
}

/**
 * Formats a rate for people.
 *
 * @param perSecond Pages per second.
 * @returns Such as `843`, `47.4k`, `1.29M`.
 */
function rateText(perSecond: number): string {
  if (perSecond < 999.5) return perSecond.toFixed(0);
  const [unit, value] = perSecond < 999_500 ? ["k", perSecond / 1e3] : ["M", perSecond / 1e6];
  return `${value < 99.95 ? value.toPrecision(3) : value.toFixed(0)}${unit}`;
}

const LINE_EVERY_MS = 1000;

/**
 * Shows a live run's progress as one line a second, for a file or a pipe.
 *
 * @param page `clock`: whether times and rates are shown.
 * @returns A function that takes the progress and returns the lines to print.
 */
export function liveLines(
  ring: number,
  { clock }: Pick<Page, "clock">,
): (progress: LiveProgress) => Iterable<string> {
  const rates = liveRates(ring, LINE_EVERY_MS);
  return (progress) => {
    const now = rates(progress);
    if (now === null) return [];
    const vcpus = now.vcpus.map(({ vcpu, perSecond, occupancy }) =>
      `vCPU ${vcpu} ${clock ? `${rateText(perSecond).padStart(5)} ` : ""}${percent(occupancy)}`
    );
    const rate = `${now.seconds.toFixed(1).padStart(6)} s  ${
      rateText(now.perSecond).padStart(5)
    } pages/s`;
    return [
      `${clock ? rate : "      "}  ${
        vcpus.join("  ")
      }  full ${now.fullExits}  resets ${progress.resets}  lost ${progress.lost}\n`,
    ];
  };
}

function percent(part: number): string {
  return `${(part * 100).toFixed(0)}%`.padStart(4);
}

const FRAME_EVERY_MS = 100;
/** The cells of a gauge, where there is room. */
const GAUGE_CELLS = 24;
/** The least cells of a gauge. */
const LEAST_CELLS = 4;
/** How many vCPUs get a line of their own. */
const VCPUS_SHOWN = 16;

/**
 * The width of a frame on any terminal that has it. A terminal that gets narrower breaks the lines
 * on it, and each in another way moves the cursor with them or not: a frame that has no line to
 * break is overwritten whole.
 */
const MOST_COLUMNS = 60;

const ERASE_LINE = "\x1b[K";
const ERASE_BELOW = "\x1b[J";

/**
 * Shows a live run's progress in place, for a terminal.
 *
 * @param terminal Its size, which is asked for each frame: a terminal may get another one.
 * @param page `clock`: whether times and rates are shown; `ink`.
 * @returns A function that takes the progress and returns what to print. It leaves the cursor at
 * the beginning of the frame, so the next frame overwrites it.
 */
export function liveFrames(
  ring: number,
  terminal: { readonly columns: number; readonly rows: number },
  page: Pick<Page, "clock" | "ink">,
): (progress: LiveProgress) => Iterable<string> {
  const rates = liveRates(ring, FRAME_EVERY_MS);
  return (progress) => {
    const now = rates(progress);
    if (now === null) return [];
    // The last column stays free: what ends there may hang over on the next line.
    const columns = Math.min(terminal.columns, MOST_COLUMNS) - 1;
    const lines = frameLines(now, progress, columns, page);
    // A frame that is higher than the terminal could not be drawn over.
    const shown = lines.slice(0, Math.max(1, terminal.rows - 1));
    const text = shown.map((line) => `${cutTo(line, columns)}${ERASE_LINE}\n`).join("");
    return [`${text}${ERASE_BELOW}\x1b[${shown.length}A\r`];
  };
}

function frameLines(
  now: Rates,
  { resets, lost }: LiveProgress,
  columns: number,
  { clock, ink }: Pick<Page, "clock" | "ink">,
): string[] {
  const rate = (perSecond: string) => clock ? [`${perSecond} pages/s`] : [];
  const lines = packed([
    ...(clock ? [`${now.seconds.toFixed(1)} s`] : []),
    ...rate(rateText(now.perSecond)),
    `full exits ${now.fullExits}`,
    `resets ${resets}`,
    lost === 0 ? "lost pages 0" : ink.bad(`lost pages ${lost}`),
  ], columns);
  for (const { vcpu, perSecond, occupancy, fullExits } of now.vcpus.slice(0, VCPUS_SHOWN)) {
    const before = [`vCPU ${`${vcpu}`.padEnd(3)}`, ...rate(rateText(perSecond).padStart(5))];
    const after = `${(occupancy * 100).toFixed(0).padStart(3)} %  full ${fullExits}`;
    const room = columns - before.join(" ").length - after.length - "  ▕▏ ".length;
    const bar = gauge(occupancy, Math.max(LEAST_CELLS, Math.min(GAUGE_CELLS, room)));
    lines.push(`${before.join(" ")}  ${ink.bar(bar)} ${after}`);
  }
  const more = now.vcpus.length - VCPUS_SHOWN;
  if (more > 0) lines.push(`and ${more} more vCPUs`);
  return lines;
}

// Puts parts beside each other as far as they fit, and the rest below.
function packed(parts: readonly string[], columns: number): string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const line = `${lines.at(-1)}  ${part}`;
    if (lines.length > 0 && widthOf(line) <= columns) lines[lines.length - 1] = line;
    else lines.push(part);
  }
  return lines;
}

/** Erases the last frame; print it before anything else. */
export const AFTER_FRAMES: string = ERASE_BELOW;
