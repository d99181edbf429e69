import type { SkippedFile } from "./checkpoint_chain.ts";
import type { CheckpointHeader } from "./checkpoint_header.ts";
import type { WrongPages } from "./counters.ts";
import type { TrackingKind } from "../machine/dirty_tracker.ts";
import type { InterruptSignal } from "../lab/interrupt.ts";
import type { LabResult } from "../lab/result.ts";

/** A look at all pages of a restored machine while its vCPUs stood still. */
export interface RestoreCheck {
  /** When: as it was restored, when each vCPU had finished the pass that it was in, and after a pass more. */
  readonly when: "restored" | "pass finished" | "another pass";
  /** Stores made since the beginning of the machine that was checkpointed, over all vCPUs. */
  readonly stores: number;
  /** Pages that did not hold what so many stores must have left there. */
  readonly wrong: WrongPages;
}

/** `dirtyring restore`: a machine made again from its checkpoints, and run on. */
export interface RestoreResult extends LabResult {
  /** What it is. */
  readonly schema: "dirtyring.restore/1";
  /** The folder of the checkpoints. */
  readonly folder: string;
  /** The kernel that ran the machine before. */
  readonly from: CheckpointHeader["kernel"];
  /** How dirty pages were, and are, tracked. */
  readonly tracking: TrackingKind;
  /** The epoch that was restored: 0 is the beginning. */
  readonly epoch: number;
  /** Files that were used. */
  readonly files: number;
  /** Files that were not used. */
  readonly skipped: readonly SkippedFile[];
  /** Pages of logged memory that the files hold, each counted once. */
  readonly pages: number;
  /** The vCPUs, with the stores of each since the beginning: when it was restored, and at the end. */
  readonly vcpus: readonly {
    /** The vCPU. */
    readonly vcpu: number;
    /** Stores when it was restored. */
    readonly storesBefore: number;
    /** Stores at the end. */
    readonly storesAfter: number;
  }[];
  /** vCPUs whose RFLAGS were saved without the IOPL of their program, and got it again. */
  readonly withoutIopl: number;
  /** What was looked at; not all of it where something did not hold. */
  readonly checks: readonly RestoreCheck[];
  /** What did not hold beside wrong pages. */
  readonly problems: readonly string[];
  /** Whether memory and registers agreed, and no step was lost. */
  readonly ok: boolean;
  /** What ended it before its time, in words: a guest or a call that failed; `null` where nothing did. */
  readonly error: string | null;
  /** The signal that ended it early, or `null`. */
  readonly interrupted: InterruptSignal | null;
}
