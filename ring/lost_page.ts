import type { PageName } from "./slots.ts";

/**
 * What a lost page was most likely lost to. A ring that overflowed, and a reset that took back fewer entries than
 * were harvested, are noticed when they happen; the other two are told apart by whether the page was ever read.
 */
export type LostCause =
  | "ring overflow"
  | "signal during reset"
  | "read before reset"
  | "never harvested";

/** A page that holds a store which no entry announced, or which was read too early. */
export interface LostPage extends PageName {
  /** The vCPU that made the store, as the value in the page tells. */
  readonly vcpu: number;
  /** The store's counter: it is the n-th of that vCPU, modulo 2^(32 − vCPU bits). */
  readonly counter: number;
  /** The counter that was last read there; `null` where nothing was. */
  readonly read: number | null;
  /** What it was most likely lost to. Inferred. */
  readonly cause: LostCause;
}

/** Lost pages: their number, and the first hundred of them. */
export interface LostPages {
  /** How many there are. */
  readonly count: number;
  /** The first hundred. */
  readonly pages: readonly LostPage[];
}
