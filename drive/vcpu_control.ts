// Shared memory between the harvester and the thread of a vCPU. PHASE is read and written with
// Atomics; a write of PHASE publishes all other words and numbers that were written before it.
import type { TraceOrder } from "../ffi/kernel.ts";
import type { FullStops, Quest } from "./live_vcpus.ts";

/** Word: the phase of the two. The comment of each value says who may change it, and to what. */
export const PHASE = 0;
/** Word: why the vCPU stands still. */
export const STOP = 1;
/** Word: the exit reason or the errno that belongs to STOP. */
export const DETAIL = 2;
/** Word: the thread's id. */
export const TID = 3;

/** Phase: the thread is not ready yet. The thread changes it to HOLD, or the harvester to QUIT. */
export const STARTING = 0;
/** Phase: the vCPU stands still. The harvester changes it to RUN or QUIT. */
export const HOLD = 1;
/** Phase: the vCPU is to run. The thread changes it to RUNNING, or the harvester back to HOLD. */
export const RUN = 2;
/** Phase: the vCPU runs. The thread changes it to HOLD, or the harvester to STOPPING. */
export const RUNNING = 3;
/** Phase: the vCPU is to stand still, and a signal is on its way. The thread changes it to HOLD. */
export const STOPPING = 4;
/** Phase: the thread is to end. */
export const QUIT = 5;

/** Stop: it was asked to stop. */
export const STOP_ASKED = 0;
/** Stop: it made all its stores. */
export const STOP_DONE = 1;
/** Stop: its ring is full. */
export const STOP_FULL = 2;
/** Stop: another exit; DETAIL is the reason. */
export const STOP_EXIT = 3;
/** Stop: `KVM_RUN` failed; DETAIL is the errno. */
export const STOP_ERRNO = 4;

/** Number: stores of all passes before this one. */
export const FINISHED = 0;
/** Number: the value of this pass's first store. */
export const VALUE = 1;
/** Number: stores of this pass. */
export const PASS = 2;
// Numbers: the fields of FullStops, in their order.
const FULL_TOTAL = 3;
const FULL_RESUMED = 4;
const FULL_LAST_RESUMED = 5;

const WORDS_BYTES = 64;
const NUMBERS_BYTES = 64;

/** The control block of one vCPU: views of the shared memory. */
export interface VcpuControl {
  /** The memory itself, to hand to the thread. */
  readonly buffer: SharedArrayBuffer;
  /** Its words. */
  readonly words: Int32Array<SharedArrayBuffer>;
  /** Its numbers. */
  readonly numbers: Float64Array<SharedArrayBuffer>;
}

/**
 * Allocates a control block, or views one that another thread allocated.
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
 * Counts a completed stop at a full ring. Called by the vCPU's thread.
 *
 * @param ns Nanoseconds that the vCPU stood still.
 * @param how Whether the harvester emptied the ring and resumed the vCPU, or the vCPU's thread
 * emptied it.
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
 * What {@linkcode countFullStop} has counted. Called by the harvester, while the vCPU stands still.
 *
 * @returns The completed stops.
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
  /** The ring's address in this process, and its bytes. */
  readonly place: { readonly address: number; readonly bytes: number };
  /** The VM's file descriptor, for `KVM_RESET_DIRTY_RINGS`. */
  readonly vmFd: number;
  /** The memory of the {@linkcode HandOver} in which it puts what it harvested. */
  readonly handOver: SharedArrayBuffer;
}

/** The doorbell's word that counts the rings of the bell. */
export const BELL = 0;
/**
 * The doorbell's word that is 1 while somebody harvests and resets: a lock, since only one may do
 * so at a time.
 */
export const RESET_LOCK = 1;

/** The first and only message to the thread of a vCPU. */
export interface VcpuOrder {
  /** The vCPU's file descriptor, which belongs to the process. */
  readonly fd: number;
  /** Address of its `kvm_run`, and its bytes. */
  readonly run: { readonly address: number; readonly bytes: number };
  /** The doorbell of all vCPUs. A thread increments and notifies it when its vCPU stands still. */
  readonly bell: SharedArrayBuffer;
  /** The memory of its control block. */
  readonly control: SharedArrayBuffer;
  /**
   * The `struct kvm_regs` with which a pass begins, apart from the stores (rcx) and the value
   * (rbx).
   */
  readonly registers: Uint8Array<ArrayBuffer>;
  /** The exit reason with which the guest's program ends. */
  readonly end: number;
  /** What the vCPU is to do. */
  readonly quest: Quest;
  /** What its thread needs to empty its full ring; `null` if the harvester empties it. */
  readonly ring: RingOrder | null;
  /** How the thread traces its kernel calls; `null` if it does not. */
  readonly tracing: TraceOrder | null;
}
