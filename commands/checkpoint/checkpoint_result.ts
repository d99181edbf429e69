// Options and result of `dirtyring checkpoint`, and the log of its epochs.

import type { CheckpointWriter, WrittenFiles } from "../../checkpoint/checkpoint_writer.ts";
import type { InterruptSignal } from "../../host/interrupt.ts";
import type { TrackingKind } from "../../machine/dirty_tracker.ts";
import type { LabResult } from "../../machine/guest_vm.ts";
import { Distribution, type Quantiles } from "../../ring/distribution.ts";
import type { DifferingPages } from "./replica.ts";

/** How a replica is kept. */
export interface CheckpointOptions {
  /** Length of an epoch in milliseconds. */
  readonly intervalMs: number;
  /**
   * Number of dirty pages that ends an epoch early; `null` for no limit. Works with a ring only.
   */
  readonly maxDirty: number | null;
  /** Milliseconds to run; `null` if something else ends the run. */
  readonly durationMs: number | null;
  /** Epochs to run; `null` if something else ends the run. */
  readonly epochs: number | null;
  /** Stores to make, over all vCPUs; `null` for as many as fit into the time. */
  readonly stores: number | null;
  /** Writes a file for each epoch; `null` to write none. */
  readonly writer: CheckpointWriter | null;
  /**
   * Called for each epoch once it is over and its file is written. Returns whether the run shall go
   * on.
   */
  readonly watch?: (epoch: Epoch) => boolean;
  /** The program of a vCPU's thread; set by tests that need a broken one. */
  readonly thread?: URL;
}

/** The result of `dirtyring checkpoint`. */
export interface CheckpointResult extends LabResult {
  /** Name and version of this format. */
  readonly schema: "dirtyring.checkpoint/1";
  /** How dirty pages were tracked. */
  readonly tracking: TrackingKind;
  /** Nanoseconds that an epoch takes, unless it ends early. */
  readonly intervalNs: number;
  /** Number of dirty pages that ends an epoch early; `null` for no limit. */
  readonly maxDirty: number | null;
  /**
   * Nanoseconds from starting the vCPUs until all had stopped for good; by the model's clock on a
   * model.
   */
  readonly elapsedNs: number;
  /** How many epochs there were. */
  readonly epochCount: number;
  /** The first thousand epochs. */
  readonly epochs: readonly Epoch[];
  /** Statistics of all epochs. */
  readonly summary: EpochSummary;
  /** Stores made, over all vCPUs. */
  readonly stores: number;
  /** The files that were written; `null` if none were asked for. */
  readonly output: WrittenFiles | null;
  /** Logged pages in which the replica differs from the guest. */
  readonly differing: DifferingPages;
  /** Whether the replica's slot 0 equals the guest's. */
  readonly slot0Equal: boolean;
  /**
   * Whether the replica equals the guest's memory, byte for byte; `null` if a signal or an error
   * came first.
   */
  readonly equal: boolean | null;
  /** What else did not hold. */
  readonly problems: readonly string[];
  /** Whether everything that was checked held. */
  readonly ok: boolean;
  /**
   * The failure of a guest, a call or a file that ended the run early, in words; `null` if none
   * did.
   */
  readonly error: string | null;
  /** The signal that ended it early, or `null`. */
  readonly interrupted: InterruptSignal | null;
  /** Whether the run ended because nobody read its output any more. */
  readonly closed: boolean;
}

/** What ended an epoch. */
export type EpochEnd =
  /** Its time was up. */
  | "interval"
  /** A harvest reached the limit of dirty pages. */
  | "max-dirty"
  /** The time of the whole run was up. */
  | "duration"
  /** All stores were made. */
  | "stores"
  /** A signal came. */
  | "interrupt"
  /** Nobody reads the output any more. */
  | "closed"
  /** A ring overflowed. */
  | "overflow"
  /** A vCPU, or a call, failed. */
  | "error";

/** An epoch: the vCPUs run, then all stop, and what they dirtied is copied to the replica. */
export interface Epoch {
  /** Its number, from 1. */
  readonly epoch: number;
  /** What ended it. */
  readonly endedBy: EpochEnd;
  /** Nanoseconds that vCPUs ran; by the model's clock on a model. */
  readonly ranNs: number;
  /** Pages that were dirty at its end. */
  readonly dirtyPages: number;
  /** Dirty pages beyond the limit; `null` without a limit. */
  readonly overshoot: number | null;
  /** `KVM_EXIT_DIRTY_RING_FULL` exits. */
  readonly fullExits: number;
  /**
   * Nanoseconds of the pause: from asking the vCPUs to stop until the last one is resumed or, in
   * the last epoch, all is copied.
   */
  readonly pauseNs: number;
  /** Part of the pause: until all vCPUs had stopped. */
  readonly stopNs: number;
  /**
   * Part of the pause: waiting until the epoch before is written, because its file is written from
   * the replica.
   */
  readonly waitNs: number;
  /** Part of the pause: harvesting the rings, or getting the bitmaps. */
  readonly learnNs: number;
  /** Part of the pause: `KVM_RESET_DIRTY_RINGS`, or clearing the bitmaps. */
  readonly rearmNs: number;
  /** Part of the pause: sorting and copying the dirty pages. */
  readonly copyNs: number;
  /** Part of the pause: copying what is not logged (slot 0 and registers), if it is needed. */
  readonly stateNs: number;
  /** Part of the pause: resuming the vCPUs. */
  readonly resumeNs: number;
  /** Size of the dirty pages in bytes. */
  readonly bytes: number;
  /** Nanoseconds to write its file, while vCPUs run again; `null` without a file. */
  readonly writeNs: number | null;
  /** Size of its file in bytes; `null` without one. */
  readonly fileBytes: number | null;
}

/** How many epochs are listed; the others only count in the distributions. */
const LISTED = 1000;
/** The unit of shares: a distribution holds integers only. */
const SHARE = 10_000;

/** The figures of an epoch that have a distribution. */
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

/** Statistics of all epochs. */
export interface EpochSummary {
  /** The distribution of each figure, over the epochs that have it. */
  readonly figures: Readonly<Record<EpochFigure, Quantiles>>;
  /** The share of copying dirty pages in the pauses, from 0 to 1. */
  readonly copyShare: {
    /** In the sum of all pauses; `null` if there were none. */
    readonly overall: number | null;
    /** The median over the epochs. */
    readonly median: number | null;
  };
  /** Bytes of dirty pages that were copied. */
  readonly bytes: number;
  /** `KVM_EXIT_DIRTY_RING_FULL` exits. */
  readonly fullExits: number;
}

/**
 * Collects the epochs of a run in constant memory: it keeps the first thousand, and statistics of
 * all.
 */
export class EpochLog {
  readonly #distributions: ReadonlyMap<EpochFigure, Distribution> = new Map(
    FIGURES.map((name) => [name, new Distribution()]),
  );
  readonly #shares = new Distribution();
  #count = 0;
  #bytes = 0;
  #fullExits = 0;
  /** The first thousand epochs. */
  readonly epochs: Epoch[] = [];

  /** How many epochs there were. */
  get count(): number {
    return this.#count;
  }

  /** Adds an epoch that is over. */
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

  /** Statistics of all epochs so far. */
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
