import type { VcpuPlace } from "./live_vcpus.ts";

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

  /**
   * Stands before the first pass, or in the one that was broken off.
   *
   * @param quest What to do.
   */
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
