import type { LiveProgress } from "../live/live_result.ts";
import { liveRates, rateText } from "./live_rates.ts";

const EVERY_MS = 1000;

/**
 * A live run's progress as one line a second, for a file or a pipe.
 *
 * @param ring Entries of each ring.
 * @returns A function of the progress that answers the lines to print.
 */
export function liveLines(ring: number): (progress: LiveProgress) => Iterable<string> {
  const rates = liveRates(ring, EVERY_MS);
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
