import type { LiveProgress } from "../live/live_result.ts";

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
 * @param ring Entries of each ring.
 * @param everyMs Milliseconds, by the run's clock, between two that are answered.
 * @returns A function of the progress that answers rates when they are due, otherwise `null`.
 */
export function liveRates(
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
export function rateText(perSecond: number): string {
  if (perSecond < 999.5) return perSecond.toFixed(0);
  const [unit, value] = perSecond < 999_500 ? ["k", perSecond / 1e3] : ["M", perSecond / 1e6];
  return `${value < 99.95 ? value.toPrecision(3) : value.toFixed(0)}${unit}`;
}
