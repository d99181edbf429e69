import { Distribution, type Quantiles } from "../ring/distribution.ts";
import type { Epoch } from "./epoch.ts";

/** Epochs that are listed; the rest is in the distributions. */
const LISTED = 1000;
/** Shares are counted in these: a distribution is one of whole numbers. */
const SHARE = 10_000;

/** A figure of an epoch that is summed up. */
export type EpochFigure =
  | "ranNs"
  | "dirtyPages"
  | "overshoot"
  | "pauseNs"
  | "stopNs"
  | "waitNs"
  | "learnNs"
  | "rearmNs"
  | "copyNs"
  | "stateNs"
  | "resumeNs"
  | "writeNs";

const FIGURES: readonly EpochFigure[] = [
  ...["ranNs", "dirtyPages", "overshoot", "pauseNs", "stopNs", "waitNs", "learnNs"] as const,
  ...["rearmNs", "copyNs", "stateNs", "resumeNs", "writeNs"] as const,
];

/** All epochs, summed up. */
export interface EpochSummary {
  /** The distribution of each figure over the epochs that have it. */
  readonly figures: Readonly<Record<EpochFigure, Quantiles>>;
  /** What part of the pauses was copying dirty pages, from 0 to 1. */
  readonly copyShare: {
    /** Of all pauses together; `null` without one. */
    readonly overall: number | null;
    /** The median of the epochs' own. */
    readonly median: number | null;
  };
  /** Bytes copied. */
  readonly bytes: number;
  /** `KVM_EXIT_DIRTY_RING_FULL` exits. */
  readonly fullExits: number;
}

/** The epochs of a run, in a memory that does not grow with their number: the first thousand, and sums. */
export class EpochLog {
  readonly #distributions: ReadonlyMap<EpochFigure, Distribution> = new Map(
    FIGURES.map((name) => [name, new Distribution()]),
  );
  readonly #shares = new Distribution();
  #count = 0;
  #bytes = 0;
  #fullExits = 0;
  /** The first thousand. */
  readonly epochs: Epoch[] = [];

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /**
   * Adds an epoch that is over.
   *
   * @param epoch The epoch.
   */
  add(epoch: Epoch): void {
    if (this.#count++ < LISTED) this.epochs.push(epoch);
    this.#bytes += epoch.bytes;
    this.#fullExits += epoch.fullExits;
    this.#shares.add(Math.round(epoch.copyNs / Math.max(epoch.pauseNs, 1) * SHARE));
    for (const [name, distribution] of this.#distributions) {
      const value = epoch[name];
      if (value !== null) distribution.add(value);
    }
  }

  /** What they come to. */
  get summary(): EpochSummary {
    const figures = Object.fromEntries(
      FIGURES.map((name) => [name, this.#distributions.get(name)!.quantiles()]),
    ) as Record<EpochFigure, Quantiles>; // its keys are those of FIGURES
    const sum = (name: EpochFigure) => this.#distributions.get(name)!.sum;
    const median = this.#shares.quantile(0.5);
    return {
      figures,
      copyShare: {
        overall: sum("pauseNs") === 0 ? null : sum("copyNs") / sum("pauseNs"),
        median: median === null ? null : median / SHARE,
      },
      bytes: this.#bytes,
      fullExits: this.#fullExits,
    };
  }
}
