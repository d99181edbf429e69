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
