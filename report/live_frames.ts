import type { LiveProgress } from "../live/live_result.ts";
import { gauge } from "./table.ts";
import { liveRates, rateText } from "./live_rates.ts";

const EVERY_MS = 100;
const BAR_CELLS = 24;
/** vCPUs with a line of their own: more would leave a small terminal. */
const VCPUS_SHOWN = 16;

const ERASE_LINE = "\x1b[K";
const ERASE_BELOW = "\x1b[J";

/**
 * A live run's progress redrawn in place, for a terminal.
 *
 * @param ring Entries of each ring.
 * @param columns The terminal's width.
 * @returns A function of the progress that answers what to print. The cursor is left where the frame begins, so
 * that what follows takes its place.
 */
export function liveFrames(
  ring: number,
  columns: number,
): (progress: LiveProgress) => Iterable<string> {
  const rates = liveRates(ring, EVERY_MS);
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
