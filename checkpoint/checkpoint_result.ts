import type { CheckpointWriter, WrittenFiles } from "./checkpoint_writer.ts";
import type { TrackingKind } from "../machine/dirty_tracker.ts";
import type { Epoch } from "./epoch.ts";
import type { EpochSummary } from "./epoch_log.ts";
import type { InterruptSignal } from "../lab/interrupt.ts";
import type { DifferingPages } from "./replica.ts";
import type { LabResult } from "../lab/result.ts";

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
