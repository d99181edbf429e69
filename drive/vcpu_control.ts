// What the harvester and the thread of a vCPU tell each other, in memory that both see. PHASE is
// written and read with Atomics; all other words and numbers are published by the write of PHASE that follows.
import type { FullStops, Quest } from "./live_vcpus.ts";

/** Word: where the two are with each other. Who may change it, and to what, stands beside each value. */
export const PHASE = 0;
/** Word: why the vCPU stands still. */
export const STOP = 1;
/** Word: the exit reason, or the errno, that belongs to it. */
export const DETAIL = 2;
/** Word: the thread's id. */
export const TID = 3;

/** Phase: the thread does not know its vCPU yet. The thread goes on to HOLD, or the harvester to QUIT. */
export const STARTING = 0;
/** Phase: the vCPU stands still. The harvester goes on to RUN or QUIT. */
export const HOLD = 1;
/** Phase: it shall run. The thread goes on to RUNNING, or the harvester back to HOLD. */
export const RUN = 2;
/** Phase: it runs. The thread goes on to HOLD, or the harvester to STOPPING. */
export const RUNNING = 3;
/** Phase: it shall stand still, and a signal is on its way. The thread goes on to HOLD. */
export const STOPPING = 4;
/** Phase: the thread shall end. */
export const QUIT = 5;

/** Stop: it was asked to. */
export const STOP_ASKED = 0;
/** Stop: all its stores are made. */
export const STOP_DONE = 1;
/** Stop: its ring is full. */
export const STOP_FULL = 2;
/** Stop: another exit; DETAIL is the reason. */
export const STOP_EXIT = 3;
/** Stop: `KVM_RUN` failed; DETAIL is the errno. */
export const STOP_ERRNO = 4;

/** Number: stores of the passes before this one. */
export const FINISHED = 0;
/** Number: the value of this pass's first store. */
export const VALUE = 1;
/** Number: stores of this pass. */
export const PASS = 2;
// Numbers: the vCPU's stops for full rings, field by field of FullStops.
const FULL_TOTAL = 3;
const FULL_RESUMED = 4;
const FULL_LAST_RESUMED = 5;

const WORDS_BYTES = 64;
const NUMBERS_BYTES = 64;

/** The memory of one vCPU's control. */
export interface VcpuControl {
  /** The memory itself, to hand to the thread. */
  readonly buffer: SharedArrayBuffer;
  /** Its words. */
  readonly words: Int32Array<SharedArrayBuffer>;
  /** Its numbers. */
  readonly numbers: Float64Array<SharedArrayBuffer>;
}

/**
 * Makes a control, or views one that was handed over.
 *
 * @param buffer The memory; new, and zero, unless given.
 */
export function vcpuControl(
  buffer: SharedArrayBuffer = new SharedArrayBuffer(WORDS_BYTES + NUMBERS_BYTES),
): VcpuControl {
  return {
    buffer,
    words: new Int32Array(buffer, 0, WORDS_BYTES / Int32Array.BYTES_PER_ELEMENT),
    numbers: new Float64Array(buffer, WORDS_BYTES),
  };
}

/**
 * Counts a stop for a full ring that is over; for the thread.
 *
 * @param ns Nanoseconds that the vCPU stood still.
 * @param how Whether the harvester emptied the ring and let the vCPU run on, or its thread did.
 */
export function countFullStop(
  numbers: VcpuControl["numbers"],
  ns: number,
  how: "resumed" | "by its thread",
): void {
  numbers[FULL_TOTAL]! += ns;
  if (how === "by its thread") return;
  numbers[FULL_RESUMED]!++;
  numbers[FULL_LAST_RESUMED] = ns;
}

/**
 * What {@linkcode countFullStop} has counted; for the harvester, while the vCPU stands still.
 *
 * @returns The stops that are over.
 */
export function fullStopsOf(numbers: VcpuControl["numbers"]): FullStops {
  return {
    totalNs: numbers[FULL_TOTAL]!,
    resumed: numbers[FULL_RESUMED]!,
    lastResumedNs: numbers[FULL_LAST_RESUMED]!,
  };
}

/** What a vCPU's thread needs to empty its own ring. */
export interface RingOrder {
  /** Where the ring lies in this process. */
  readonly place: { readonly address: number; readonly bytes: number };
  /** The VM's file descriptor, which takes the reset. */
  readonly vmFd: number;
  /** Where it puts what it harvested. */
  readonly handOver: SharedArrayBuffer;
}

/** The doorbell's word that is counted up. */
export const BELL = 0;
/** The doorbell's word that is 1 while somebody harvests and resets: one does at a time. */
export const RESET_LOCK = 1;

/** What the thread of a vCPU is told to begin with. */
export interface VcpuOrder {
  /** The vCPU's file descriptor, which belongs to the process. */
  readonly fd: number;
  /** Address of its `kvm_run`, and its bytes. */
  readonly run: { readonly address: number; readonly bytes: number };
  /** The doorbell of all vCPUs: counted up, and rung, when one stands still. */
  readonly bell: SharedArrayBuffer;
  /** Its control. */
  readonly control: SharedArrayBuffer;
  /** A `struct kvm_regs` to begin a pass with, but for the stores (rcx) and the value (rbx). */
  readonly registers: Uint8Array<ArrayBuffer>;
  /** The exit with which the guest's program ends. */
  readonly end: number;
  /** What the vCPU is to do. */
  readonly quest: Quest;
  /** What its thread empties its ring with when that is full; `null` where the harvester does. */
  readonly ring: RingOrder | null;
}
