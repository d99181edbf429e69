// vCPUs that run beside the harvester: why they stop, how far they are, and how they walk their
// blocks.
/** Why a vCPU of a live run stands still. */
export type VcpuStop =
  /** It made all its stores. */
  | { readonly kind: "done" }
  /** Its ring reached the soft limit: `KVM_EXIT_DIRTY_RING_FULL`. */
  | { readonly kind: "full" }
  /** It was asked to stop. */
  | { readonly kind: "asked" }
  /** `KVM_RUN` returned with an exit reason that the guest's program never causes. */
  | { readonly kind: "exit"; readonly reason: number }
  /** `KVM_RUN` failed; the errno is positive. */
  | { readonly kind: "errno"; readonly errno: number }
  /** Its thread is gone; `why` says the reason in words. */
  | { readonly kind: "lost"; readonly why: string };

/** How far a vCPU that stands still is in its stores. */
export interface VcpuPlace {
  /** Stores made since the beginning. */
  readonly stores: number;
  /**
   * The value of the first store of the current pass over its block, or of the next pass if it is
   * between two.
   */
  readonly value: number;
  /** Stores of that pass. */
  readonly passStores: number;
  /** Stores already made of that pass. */
  readonly passMade: number;
}

/**
 * The completed stops of a vCPU at full rings. Each lasts from `KVM_EXIT_DIRTY_RING_FULL` to the
 * next `KVM_RUN`.
 */
export interface FullStops {
  /** The sum of all stops in nanoseconds, whoever emptied the ring. */
  readonly totalNs: number;
  /**
   * How many stops {@linkcode LiveVcpus.resume} ended. The vCPU's own thread ended the others; it
   * hands over the duration of each with the ring's entries.
   */
  readonly resumed: number;
  /** Duration of the last stop that `resume` ended, in nanoseconds; 0 if there was none. */
  readonly lastResumedNs: number;
}

/**
 * vCPUs that run beside the harvester: on a real kernel each on a thread of its own, on a kernel in
 * memory in slices that take turns. A vCPU walks its block of the list again and again until its
 * stores are made. At first, all stand still.
 */
export interface LiveVcpus extends AsyncDisposable {
  /** The thread ids, by vCPU; on a kernel in memory all are 0, which means the calling thread. */
  readonly tids: readonly number[];
  /** The time in milliseconds, by the clock that intervals use: this host's, or the model's own. */
  now(): number;
  /**
   * The longest time for one call of {@linkcode LiveVcpus.wait}, in milliseconds of
   * {@linkcode LiveVcpus.now}. A caller that looks for signals between two calls then sees one
   * within a tenth of a second.
   */
  readonly turnMs: number;
  /** Resumes a vCPU that stands still. It does nothing for one that is done or lost. */
  resume(id: number): void;
  /**
   * Stops vCPUs, wherever they are, and waits until they stand still: microseconds on a real
   * kernel.
   *
   * @param ids The vCPUs; all unless given.
   */
  stop(ids?: readonly number[]): void;
  /**
   * Lets vCPUs run until one that ran at the call has stopped by itself, or until the time has
   * passed. It blocks the event loop: signals are seen between two calls.
   *
   * @param ms The longest, in milliseconds of {@linkcode LiveVcpus.now}.
   */
  wait(ms: number): void;
  /**
   * Calls `work` while no vCPU's thread harvests or resets: only one thread may do so at a time.
   */
  exclusively<Answer>(work: () => Answer): Answer;
  /**
   * Why a vCPU stopped.
   *
   * @returns Why it stands still; `null` while it runs.
   */
  stopOf(id: number): VcpuStop | null;
  /** How far a vCPU that stands still is in its stores. */
  placeOf(id: number): VcpuPlace;
  /**
   * How long a vCPU stood still at full rings, measured by whatever runs it.
   *
   * @returns The completed stops.
   */
  fullStops(id: number): FullStops;
}

/**
 * Divides stores among the vCPUs that have a block to store to.
 *
 * @example
 * ```ts
 * import { quotas } from "./live_vcpus.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(quotas([{ stores: 2 }, { stores: 1 }, { stores: 0 }], 7), [4, 3, 0]);
 * ```
 *
 * @param vcpus The vCPUs, with the number of stores of their blocks.
 * @param stores Stores in all; `null` if there is no limit.
 * @returns Stores for each vCPU.
 */
export function quotas(
  vcpus: readonly { readonly stores: number }[],
  stores: number | null,
): readonly number[] {
  let able = vcpus.filter((vcpu) => vcpu.stores > 0).length;
  let left = stores ?? Infinity;
  return vcpus.map((vcpu) => {
    if (vcpu.stores === 0) return 0;
    const share = stores === null ? Infinity : Math.ceil(left / able);
    able--;
    left -= share;
    return share;
  });
}

/** The task of a vCPU: walk its block of the list again and again until its stores are made. */
export interface Quest {
  /** Stores of its block, which are one pass. */
  readonly block: number;
  /** The value of the first store. */
  readonly value: number;
  /** What is added to the value after each store. */
  readonly step: number;
  /** Stores to make in all; `Infinity` to go on until it is stopped. */
  readonly quota: number;
  /** Where it continues, with its registers already set; `null` to start from the beginning. */
  readonly place: VcpuPlace | null;
}

/**
 * Steps through the passes of a vCPU over its block: the number of stores of each, and its first
 * value.
 */
export class PassWalk {
  readonly #quest: Quest;
  /** Stores of all passes before this one. */
  finished = 0;
  /** The value of this pass's first store. */
  value: number;
  /** Stores of this pass; 0 before the first. */
  stores = 0;

  /** Starts before the first pass, or in the pass that was interrupted. */
  constructor(quest: Quest) {
    this.#quest = quest;
    this.value = quest.value;
    if (quest.place === null) return;
    this.value = quest.place.value;
    this.stores = quest.place.passStores;
    this.finished = quest.place.stores - quest.place.passMade;
  }

  /**
   * Advances to the next pass. The value wraps at 2^32, as the guest's own addition does.
   *
   * @returns Whether there is one; `stores` and `value` then describe it.
   */
  next(): boolean {
    const { block, step, quota } = this.#quest;
    this.finished += this.stores;
    this.value = (this.value + this.stores * step) % 2 ** 32;
    this.stores = Math.min(block, quota - this.finished);
    if (this.stores > 0) return true;
    this.stores = 0;
    return false;
  }
}
