import type { InterruptSignal } from "../../host/interrupt.ts";
import type { LabResult } from "../../machine/guest_vm.ts";
import type { LostPages, PageList } from "../../memory/witness.ts";
import type { Quantiles } from "../../ring/distribution.ts";
import type { WitnessResult } from "./tracepoint_witness.ts";

/** Times in nanoseconds. Quantiles are less than 1 % off; they are `null` if nothing was timed. */
export interface Times {
  /** How many times were taken. */
  readonly count: number;
  /** The median. */
  readonly p50Ns: number | null;
  /** 99 of 100 took no longer than this. */
  readonly p99Ns: number | null;
  /** The longest. */
  readonly maxNs: number | null;
}

/** How many entries harvests found in a ring. */
export type Occupancy = Omit<Quantiles, "count">;

/** How the entries compare with the order of the stores, over all vCPUs. */
export interface LiveOrder {
  /** Entries that were compared. */
  readonly entries: number;
  /** Entries that name the same page as the entry before. This is not a failure. */
  readonly repeated: number;
  /** Stores that should have had an entry but had none. */
  readonly missing: number;
  /** Entries for a page that the vCPU could not have stored to at that point. */
  readonly strange: number;
}

/** What one vCPU did. */
export interface LiveVcpuResult {
  /** The vCPU. */
  readonly vcpu: number;
  /** Stores that it made. */
  readonly stores: number;
  /** Entries harvested from its ring. */
  readonly entries: number;
  /** Distinct pages that those entries named. */
  readonly uniquePages: number;
  /** `KVM_EXIT_DIRTY_RING_FULL` exits. */
  readonly fullExits: number;
  /** Nanoseconds that it was stopped between such exits and the `KVM_RUN` after each. */
  readonly stoppedNs: number;
  /** How many entries each harvest found in its ring. */
  readonly occupancy: Occupancy;
}

/** The result of `dirtyring live`. */
export interface LiveResult extends LabResult {
  /** Name and version of this format. */
  readonly schema: "dirtyring.live/1";
  /** Nanoseconds from starting the vCPUs until all had stopped; by the model's clock on a model. */
  readonly elapsedNs: number;
  /** What was asked for: stores, over all vCPUs, or nanoseconds; the other one is `null`. */
  readonly asked: { readonly stores: number | null; readonly durationNs: number | null };
  /** Nanoseconds between two harvests of all rings. */
  readonly intervalNs: number;
  /** Whether entries were sorted in the ring before they were marked. */
  readonly sorted: boolean;
  /** The vCPUs. */
  readonly vcpus: readonly LiveVcpuResult[];
  /** Times from a full ring until the vCPU ran again, over all vCPUs. */
  readonly fullStop: Times;
  /** Times of harvests, including the sorting. A harvest takes one ring or more. */
  readonly harvest: Times;
  /** Times of `KVM_RESET_DIRTY_RINGS`. */
  readonly reset: Times;
  /** Entries that the resets returned. */
  readonly resetEntries: number;
  /**
   * How often all vCPUs were stopped for a complete harvest and a check of memory, including the
   * last time.
   */
  readonly audits: number;
  /** Pages that the audits before the last one checked; the last one checks all pages. */
  readonly auditedPages: number;
  /** How the entries compare with the order of the stores; `null` if that cannot be checked. */
  readonly order: LiveOrder | null;
  /** Pages that hold a store that no entry announced, or that were read too early. */
  readonly lost: LostPages;
  /** Pages that were harvested without a new store in them. This is not a failure. */
  readonly spurious: PageList;
  /** Further entries for the same page in one harvest. This is not a failure. */
  readonly duplicates: number;
  /** What the kernel itself counted; `null` if it was not asked. */
  readonly witness: WitnessResult | null;
  /** What did not hold. */
  readonly problems: readonly string[];
  /** Whether everything that was checked held. */
  readonly ok: boolean;
  /** The failure of a guest or a call that ended the run early, in words; `null` if none did. */
  readonly error: string | null;
  /** The signal that ended it early, or `null`. */
  readonly interrupted: InterruptSignal | null;
  /** Whether the run ended because nobody read its output any more. */
  readonly closed: boolean;
  /** Some of the measured values, for comparisons. */
  readonly samples: LiveSamples;
}

/**
 * Values in the order in which they were measured, at most 512 of each, spread evenly over the run.
 */
export interface LiveSamples {
  /** Nanoseconds of a harvest, sorting included, per entry that it found. */
  readonly harvestNsPerEntry: readonly number[];
  /** Nanoseconds of a `KVM_RESET_DIRTY_RINGS` per entry that it reset. */
  readonly resetNsPerEntry: readonly number[];
  /** Nanoseconds from a full ring until the vCPU ran again; by the model's clock on a model. */
  readonly fullStopNs: readonly number[];
  /**
   * Entries harvested per second between two harvests of all rings; by the model's clock on a
   * model.
   */
  readonly entriesPerSecond: readonly number[];
}

/** The progress of a live run. */
export interface LiveProgress {
  /** Name and version of this format. */
  readonly schema: "dirtyring.live-progress/1";
  /** Nanoseconds since the vCPUs were started. */
  readonly elapsedNs: number;
  /** The vCPUs. */
  readonly vcpus: readonly {
    /** The vCPU. */
    readonly vcpu: number;
    /** Entries harvested from its ring so far. */
    readonly entries: number;
    /** The most entries that a harvest found in its ring since the last progress. */
    readonly occupancy: number;
    /** Full exits so far. */
    readonly fullExits: number;
  }[];
  /** `KVM_RESET_DIRTY_RINGS` calls so far. */
  readonly resets: number;
  /** Entries that those calls returned so far. */
  readonly resetEntries: number;
  /** Lost pages found up to the last audit. */
  readonly lost: number;
  /** Audits so far. */
  readonly audits: number;
  /** Problems so far. */
  readonly problems: number;
}
