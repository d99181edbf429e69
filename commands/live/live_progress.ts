import { gauge } from "../../report/table.ts";
import type { LiveProgress } from "./live_result.ts";

/** How a vCPU fares just now. */
export interface VcpuRate {
  /** The vCPU. */
  readonly vcpu: number;
  /** Entries harvested of its ring in a second, since what was shown before. */
  readonly perSecond: number;
  /** The part of its ring that a harvest found dirty, 0 to 1: the most since what was shown before. */
  readonly occupancy: number;
  /** Full exits in all. */
  readonly fullExits: number;
}

/** How a live run fares just now. */
export interface Rates {
  /** Seconds since it began. */
  readonly seconds: number;
  /** The vCPUs. */
  readonly vcpus: readonly VcpuRate[];
  /** Entries harvested in a second, over all vCPUs. */
  readonly perSecond: number;
  /** Full exits in all, over all vCPUs. */
  readonly fullExits: number;
}

/**
 * Turns what a run has come to into rates, at most so often.
 *
 * @param everyMs Milliseconds, by the run's clock, between two that are answered.
 * @returns A function of the progress that answers rates when they are due, otherwise `null`.
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
 * A rate of pages for people.
 *
 * @param perSecond Pages in a second.
 * @returns `843`, `47.4k`, `1.29M`.
 */
function rateText(perSecond: number): string {
  if (perSecond < 999.5) return perSecond.toFixed(0);
  const [unit, value] = perSecond < 999_500 ? ["k", perSecond / 1e3] : ["M", perSecond / 1e6];
  return `${value < 99.95 ? value.toPrecision(3) : value.toFixed(0)}${unit}`;
}

const LINE_EVERY_MS = 1000;

/**
 * A live run's progress as one line a second, for a file or a pipe.
 *
 * @returns A function of the progress that answers the lines to print.
 */
export function liveLines(ring: number): (progress: LiveProgress) => Iterable<string> {
  const rates = liveRates(ring, LINE_EVERY_MS);
  return (progress) => {
    const now = rates(progress);
    if (now === null) return [];
    const vcpus = now.vcpus.map(({ vcpu, perSecond, occupancy }) =>
      `vCPU ${vcpu} ${rateText(perSecond).padStart(5)} ${percent(occupancy)}`
    );
    return [
      `${now.seconds.toFixed(1).padStart(6)} s  ${rateText(now.perSecond).padStart(5)} pages/s  ` +
      `${
        vcpus.join("  ")
      }  full ${now.fullExits}  resets ${progress.resets}  lost ${progress.lost}\n`,
    ];
  };
}

function percent(part: number): string {
  return `${(part * 100).toFixed(0)}%`.padStart(4);
}

const FRAME_EVERY_MS = 100;
const BAR_CELLS = 24;
/** vCPUs with a line of their own: more would leave a small terminal. */
const VCPUS_SHOWN = 16;

const ERASE_LINE = "\x1b[K";
const ERASE_BELOW = "\x1b[J";

/**
 * A live run's progress redrawn in place, for a terminal.
 *
 * @param columns The terminal's width.
 * @returns A function of the progress that answers what to print. The cursor is left where the frame begins, so
 * that what follows takes its place.
 */
export function liveFrames(
  ring: number,
  columns: number,
): (progress: LiveProgress) => Iterable<string> {
  const rates = liveRates(ring, FRAME_EVERY_MS);
  return (progress) => {
    const now = rates(progress);
    if (now === null) return [];
    const lines = [
      `${now.seconds.toFixed(1)} s  ${
        rateText(now.perSecond)
      } pages/s  full exits ${now.fullExits}  ` +
      `resets ${progress.resets}  lost pages ${progress.lost}`,
      ...now.vcpus.slice(0, VCPUS_SHOWN).map(({ vcpu, perSecond, occupancy, fullExits }) =>
        `vCPU ${`${vcpu}`.padEnd(3)} ${rateText(perSecond).padStart(5)} pages/s  ` +
        `${gauge(occupancy, BAR_CELLS)} ${
          (occupancy * 100).toFixed(0).padStart(3)
        } %  full ${fullExits}`
      ),
    ];
    const more = now.vcpus.length - VCPUS_SHOWN;
    if (more > 0) lines.push(`and ${more} more vCPUs`);
    const text = lines.map((line) => `${line.slice(0, columns - 1)}${ERASE_LINE}\n`).join("");
    return [`${text}${ERASE_BELOW}\x1b[${lines.length}A\r`];
  };
}

/** Erases a frame that is still there: to be printed before what comes after it. */
export const AFTER_FRAMES: string = ERASE_BELOW;
