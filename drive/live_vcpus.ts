/** Why a vCPU that was let run stands still. */
export type VcpuStop =
  /** All stores that it was to make are made. */
  | { readonly kind: "done" }
  /** Its ring reached the soft limit: `KVM_EXIT_DIRTY_RING_FULL`. */
  | { readonly kind: "full" }
  /** It was asked to stop. */
  | { readonly kind: "asked" }
  /** `KVM_RUN` came back in a way that the guest's program never brings about. */
  | { readonly kind: "exit"; readonly reason: number }
  /** `KVM_RUN` failed: the errno, positive. */
  | { readonly kind: "errno"; readonly errno: number }
  /** What ran it is gone: why, in words. */
  | { readonly kind: "lost"; readonly why: string };

/** Where a vCPU that stands still is in its stores. */
export interface VcpuPlace {
  /** Stores made since the beginning. */
  readonly stores: number;
  /** The value of the first store of the pass of its list that it is in, or begins with next. */
  readonly value: number;
  /** Stores of that pass. */
  readonly passStores: number;
  /** Stores of that pass that are made. */
  readonly passMade: number;
}

/** The stops of a vCPU for full rings that are over: from `KVM_EXIT_DIRTY_RING_FULL` until the `KVM_RUN` after it. */
export interface FullStops {
  /** Nanoseconds of all of them together, whoever emptied the ring. */
  readonly totalNs: number;
  /**
   * How many {@linkcode LiveVcpus.resume} ended. The others its own thread ended, which hands over the time of each with
   * the ring's entries.
   */
  readonly resumed: number;
  /** Nanoseconds of the last that was resumed; 0 where none was. */
  readonly lastResumedNs: number;
}

/**
 * vCPUs that run beside the harvester: each on a thread of its own, or, on a kernel in memory, in slices that
 * take turns. A vCPU walks its block of the list again and again until its stores are made; all stand still
 * at first.
 */
export interface LiveVcpus extends AsyncDisposable {
  /** The threads on which they run, by vCPU; on a kernel in memory all on the calling one, which is 0. */
  readonly tids: readonly number[];
  /** Milliseconds by the clock that intervals count in: this host's, or the model's own. */
  now(): number;
  /**
   * The longest that {@linkcode LiveVcpus.wait} should be asked for at a time, in milliseconds of
   * {@linkcode LiveVcpus.now}: who looks for signals between two calls then sees one within a tenth of a second.
   */
  readonly turnMs: number;
  /** Lets a vCPU that stands still run on. One that is done, or lost, does not. */
  resume(id: number): void;
  /**
   * Makes vCPUs stand still, wherever they are, and waits until they do: microseconds on a real kernel.
   *
   * @param ids The vCPUs; all unless given.
   */
  stop(ids?: readonly number[]): void;
  /**
   * Waits, letting vCPUs run, until one of them has stopped by itself that ran when this was called, or time
   * has passed. It blocks the event loop: signals are seen between two calls.
   *
   * @param ms The longest, in milliseconds of {@linkcode LiveVcpus.now}.
   */
  wait(ms: number): void;
  /** Does something while no vCPU's thread harvests or resets: of these there is one at a time. */
  exclusively<Answer>(work: () => Answer): Answer;
  /**
   * How a vCPU stopped.
   *
   * @returns Why it stands still; `null` while it runs.
   */
  stopOf(id: number): VcpuStop | null;
  /** Where a vCPU that stands still is in its stores. */
  placeOf(id: number): VcpuPlace;
  /**
   * How long a vCPU stood still for full rings, as what runs it measured.
   *
   * @returns The stops that are over.
   */
  fullStops(id: number): FullStops;
}

/**
 * Shares stores out between the vCPUs that have a block to store to.
 *
 * @example
 * ```ts
 * import { quotas } from "./live_vcpus.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(quotas([{ stores: 2 }, { stores: 1 }, { stores: 0 }], 7), [4, 3, 0]);
 * ```
 *
 * @param vcpus The vCPUs, with the stores of their blocks.
 * @param stores Stores in all; `null` for no end.
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

/** What a vCPU is to do: walk its block of the list, again and again, until its stores are made. */
export interface Quest {
  /** Stores of its block: a pass. */
  readonly block: number;
  /** The value of the first store. */
  readonly value: number;
  /** What is added to the value after each store. */
  readonly step: number;
  /** Stores to make in all; `Infinity` for as many as it can until it is stopped. */
  readonly quota: number;
  /** Where it is already, its registers set; `null` where it begins. */
  readonly place: VcpuPlace | null;
}

/** The passes of a vCPU over its block: how many stores the next one has, and with which value it begins. */
export class PassWalk {
  readonly #quest: Quest;
  /** Stores of the passes before this one. */
  finished = 0;
  /** The value of this pass's first store. */
  value: number;
  /** Stores of this pass; 0 before the first. */
  stores = 0;

  /** Stands before the first pass, or in the one that was broken off. */
  constructor(quest: Quest) {
    this.#quest = quest;
    this.value = quest.value;
    if (quest.place === null) return;
    this.value = quest.place.value;
    this.stores = quest.place.passStores;
    this.finished = quest.place.stores - quest.place.passMade;
  }

  /**
   * Goes on to the next pass. The value wraps at 2^32, as the guest's own addition does.
   *
   * @returns Whether there is one: `stores` and `value` are then its own.
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
