import type { CheckpointWriter, WrittenFiles } from "../../checkpoint/checkpoint_writer.ts";
import type { InterruptSignal } from "../../host/interrupt.ts";
import type { TrackingKind } from "../../machine/dirty_tracker.ts";
import type { LabResult } from "../../machine/guest_vm.ts";
import { Distribution, type Quantiles } from "../../ring/distribution.ts";
import type { DifferingPages } from "./replica.ts";

/** How a replica is kept. */
export interface CheckpointOptions {
  /** Milliseconds that an epoch takes. */
  readonly intervalMs: number;
  /** Dirty pages at which an epoch ends before its time; `null` for any number. With a ring alone. */
  readonly maxDirty: number | null;
  /** Milliseconds to run; `null` where something else ends it. */
  readonly durationMs: number | null;
  /** Epochs; `null` where something else ends it. */
  readonly epochs: number | null;
  /** Stores to make, over all vCPUs; `null` for as many as they can in the time. */
  readonly stores: number | null;
  /** Writes a file for each epoch; `null` to write none. */
  readonly writer: CheckpointWriter | null;
  /** Is told of each epoch once it is over and its file written; answers whether the run shall go on. */
  readonly watch?: (epoch: Epoch) => boolean;
  /** The program of a vCPU's thread, for a test that breaks it. */
  readonly thread?: URL;
}

/** `dirtyring checkpoint`: a replica of a running guest. */
export interface CheckpointResult extends LabResult {
  /** What it is. */
  readonly schema: "dirtyring.checkpoint/1";
  /** How dirty pages were tracked. */
  readonly tracking: TrackingKind;
  /** Nanoseconds that an epoch takes, unless it ends early. */
  readonly intervalNs: number;
  /** Dirty pages at which an epoch ends early; `null` for any number. */
  readonly maxDirty: number | null;
  /** Nanoseconds from letting the vCPUs run until all stood still for good; by the model's clock on a model. */
  readonly elapsedNs: number;
  /** How many epochs there were. */
  readonly epochCount: number;
  /** The first thousand of them. */
  readonly epochs: readonly Epoch[];
  /** All of them, summed up. */
  readonly summary: EpochSummary;
  /** Stores made, over all vCPUs. */
  readonly stores: number;
  /** The files written; `null` where none were to be. */
  readonly output: WrittenFiles | null;
  /** Logged pages in which the replica differs from the guest. */
  readonly differing: DifferingPages;
  /** Whether slot 0 is the same in the replica and in the guest. */
  readonly slot0Equal: boolean;
  /** Whether the replica is the guest's memory, byte for byte; `null` where a signal or an error came first. */
  readonly equal: boolean | null;
  /** What did not hold beside that. */
  readonly problems: readonly string[];
  /** Whether all that was checked holds. */
  readonly ok: boolean;
  /** What ended it before its time, in words: a guest, a call or a file that failed; `null` where nothing did. */
  readonly error: string | null;
  /** The signal that ended it early, or `null`. */
  readonly interrupted: InterruptSignal | null;
  /** Whether whom it was printed for went away and so ended it. */
  readonly closed: boolean;
}

/** What ended an epoch. */
export type EpochEnd =
  /** Its time was over. */
  | "interval"
  /** A harvest reached the most pages that may be dirty. */
  | "max-dirty"
  /** The time of the whole run was over. */
  | "duration"
  /** All stores were made. */
  | "stores"
  /** A signal. */
  | "interrupt"
  /** Nobody reads what is printed any more. */
  | "closed"
  /** A ring overflowed. */
  | "overflow"
  /** A vCPU, or a call, failed. */
  | "error";

/** An epoch: vCPUs run, then all stand still and what they dirtied goes to the replica. */
export interface Epoch {
  /** Its number, from 1. */
  readonly epoch: number;
  /** What ended it. */
  readonly endedBy: EpochEnd;
  /** Nanoseconds that vCPUs ran; by the model's clock on a model. */
  readonly ranNs: number;
  /** Pages that were dirty at its end. */
  readonly dirtyPages: number;
  /** Of them, those beyond the most that may be; `null` where any number may be. */
  readonly overshoot: number | null;
  /** `KVM_EXIT_DIRTY_RING_FULL` exits. */
  readonly fullExits: number;
  /** Nanoseconds of the pause: from asking the vCPUs to stop until the last one is resumed, or all is copied. */
  readonly pauseNs: number;
  /** Of the pause: until all vCPUs stood still. */
  readonly stopNs: number;
  /** Of the pause: waiting for the file of the epoch before, which is still being written from the replica. */
  readonly waitNs: number;
  /** Of the pause: harvesting the rings, or getting the bitmaps. */
  readonly learnNs: number;
  /** Of the pause: `KVM_RESET_DIRTY_RINGS`, or clearing the bitmaps. */
  readonly rearmNs: number;
  /** Of the pause: copying the dirty pages, their sorting included. */
  readonly copyNs: number;
  /** Of the pause: copying what is not logged, slot 0 and registers, where that is wanted. */
  readonly stateNs: number;
  /** Of the pause: resuming the vCPUs. */
  readonly resumeNs: number;
  /** Bytes of the dirty pages. */
  readonly bytes: number;
  /** Nanoseconds to write its file, while vCPUs ran again; `null` without a file. */
  readonly writeNs: number | null;
  /** Bytes of its file; `null` without one. */
  readonly fileBytes: number | null;
}

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
