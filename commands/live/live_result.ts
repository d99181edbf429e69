import type { InterruptSignal } from "../../host/interrupt.ts";
import type { LabResult } from "../../machine/guest_vm.ts";
import type { LostPages, PageList } from "../../memory/witness.ts";
import type { Quantiles } from "../../ring/distribution.ts";
import type { WitnessResult } from "./tracepoint_witness.ts";

/** Times of something, in nanoseconds; quantiles are less than 1 % off, `null` where there was none. */
export interface Times {
  /** How often it was done. */
  readonly count: number;
  /** The median. */
  readonly p50Ns: number | null;
  /** 99 of 100 took no longer. */
  readonly p99Ns: number | null;
  /** The longest. */
  readonly maxNs: number | null;
}

/** Entries that harvests found in a ring. */
export type Occupancy = Omit<Quantiles, "count">;

/** Entries held against the order of the stores, over all vCPUs. */
export interface LiveOrder {
  /** Entries. */
  readonly entries: number;
  /** Those that name the page before once more: no failure. */
  readonly repeated: number;
  /** Stores for which there should have been an entry and was none. */
  readonly missing: number;
  /** Entries that name no page that the vCPU could have stored to then. */
  readonly strange: number;
}

/** How a vCPU fared. */
export interface LiveVcpuResult {
  /** The vCPU. */
  readonly vcpu: number;
  /** Stores that it made. */
  readonly stores: number;
  /** Entries harvested of its ring. */
  readonly entries: number;
  /** Different pages that they named. */
  readonly uniquePages: number;
  /** `KVM_EXIT_DIRTY_RING_FULL` exits. */
  readonly fullExits: number;
  /** Nanoseconds that it stood still between such an exit and its next `KVM_RUN`. */
  readonly stoppedNs: number;
  /** Entries that each harvest found in its ring. */
  readonly occupancy: Occupancy;
}

/** `dirtyring live`: vCPUs that run while their rings are harvested. */
export interface LiveResult extends LabResult {
  /** What it is. */
  readonly schema: "dirtyring.live/1";
  /** Nanoseconds from letting the vCPUs run until all stood still; by the model's clock on a model. */
  readonly elapsedNs: number;
  /** What was asked for: stores, over all vCPUs, or nanoseconds; `null` for the other. */
  readonly asked: { readonly stores: number | null; readonly durationNs: number | null };
  /** Nanoseconds between two harvests of all rings. */
  readonly intervalNs: number;
  /** Whether entries were sorted in the ring before they were marked. */
  readonly sorted: boolean;
  /** The vCPUs. */
  readonly vcpus: readonly LiveVcpuResult[];
  /** Times from a full ring until the vCPU ran again, over all vCPUs. */
  readonly fullStop: Times;
  /** Times of harvests: each of one ring or more, with the sorting. */
  readonly harvest: Times;
  /** Times of `KVM_RESET_DIRTY_RINGS`. */
  readonly reset: Times;
  /** Entries that the resets returned. */
  readonly resetEntries: number;
  /** Times that all vCPUs stood still for a complete harvest and a check of memory, the last one included. */
  readonly audits: number;
  /** Pages that the audits before the last looked at; the last looks at all. */
  readonly auditedPages: number;
  /** The entries held against the order of the stores; `null` where that cannot be told. */
  readonly order: LiveOrder | null;
  /** Pages that hold a store which no entry announced, or which was read too early. */
  readonly lost: LostPages;
  /** Pages harvested without anything new in them: no failure. */
  readonly spurious: PageList;
  /** Entries beyond the first for a page in one harvest: no failure. */
  readonly duplicates: number;
  /** What the kernel itself counted; `null` where it was not asked. */
  readonly witness: WitnessResult | null;
  /** What did not hold. */
  readonly problems: readonly string[];
  /** Whether all that was checked holds. */
  readonly ok: boolean;
  /** What ended it before its time, in words: a guest or a call that failed; `null` where nothing did. */
  readonly error: string | null;
  /** The signal that ended it early, or `null`. */
  readonly interrupted: InterruptSignal | null;
  /** Whether whom it was printed for went away and so ended it. */
  readonly closed: boolean;
}

/** What a live run has come to, so far. */
export interface LiveProgress {
  /** What it is. */
  readonly schema: "dirtyring.live-progress/1";
  /** Nanoseconds since the vCPUs were let run. */
  readonly elapsedNs: number;
  /** The vCPUs. */
  readonly vcpus: readonly {
    /** The vCPU. */
    readonly vcpu: number;
    /** Entries harvested of its ring so far. */
    readonly entries: number;
    /** The most entries that a harvest found in it since the line before. */
    readonly occupancy: number;
    /** Full exits so far. */
    readonly fullExits: number;
  }[];
  /** `KVM_RESET_DIRTY_RINGS` calls so far. */
  readonly resets: number;
  /** Entries that they returned. */
  readonly resetEntries: number;
  /** Lost pages found so far, as of the last audit. */
  readonly lost: number;
  /** Audits so far. */
  readonly audits: number;
  /** Problems so far. */
  readonly problems: number;
}
