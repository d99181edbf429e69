import {
  type ExpectedStop,
  expectedStop,
  sharesOf,
  unfinishedText,
} from "../../drive/expected_stop.ts";
import { type LiveVcpus, quotas } from "../../drive/live_vcpus.ts";
import type { Reaper } from "../../drive/reaper.ts";
import { HostError, KernelError, type Naming } from "../../ffi/errors.ts";
import { nanoseconds } from "../../ffi/linux.ts";
import { GuestError } from "../../host/errors.ts";
import type { InterruptWatch } from "../../host/interrupt.ts";
import type { WorkStep } from "../../host/progress.ts";
import type { RingVm } from "../../machine/guest_vm.ts";
import { checkMemory } from "../../machine/touched_pages.ts";
import { PageSet } from "../../memory/page_sets.ts";
import type { PushOrder } from "../../memory/push_order.ts";
import type { Witness } from "../../memory/witness.ts";
import { Samples } from "../../ring/samples.ts";
import type { LiveProgress } from "./live_result.ts";

/** The options of a live run. */
export interface LiveOptions {
  /** Stores to make, over all vCPUs; `null` for as many as fit into the time. */
  readonly stores: number | null;
  /** Milliseconds to run; `null` if the stores end the run. */
  readonly durationMs: number | null;
  /** Milliseconds between two harvests of all rings. */
  readonly intervalMs: number;
  /** Milliseconds that the stores may take. */
  readonly timeoutMs: number;
  /** How messages name the stores and the time; by plain names by default. */
  readonly naming?: Naming;
  /** Whether entries are sorted in the ring before they are marked. */
  readonly sort?: boolean;
  /** Whether to compare the harvest with what the kernel itself counts. */
  readonly witness?: boolean;
  /** Called after each harvest of all rings. Returns whether the run shall go on. */
  readonly watch?: (progress: LiveProgress) => boolean;
  /** Makes the reaper; set by tests that need a broken one. */
  readonly reaper?: (lab: RingVm, witness: Witness) => Reaper;
  /** The program of a vCPU's thread; set by tests that need a broken one. */
  readonly thread?: URL;
}

/** What a run works with. */
export interface LiveParts {
  /** The lab. */
  readonly lab: RingVm;
  /** Its vCPUs, stopped. */
  readonly vcpus: LiveVcpus;
  /** Harvests and resets the rings. */
  readonly reaper: Reaper;
  /** Remembers what was read of each page. */
  readonly witness: Witness;
  /** Ends the run early. */
  readonly interrupt: InterruptWatch;
  /** The options. */
  readonly options: LiveOptions;
}

/** Milliseconds between audits: at the next harvest all vCPUs stop and memory is checked. */
const AUDIT_MS = 1000;
/** How many pages an audit checks, so that it takes only a millisecond or two. */
const AUDIT_PAGES = 1 << 14;

/** The loop of a live run, and its counts. */
export class LiveRun {
  readonly #parts: LiveParts;
  readonly #ids: readonly number[];
  /** vCPUs that have stores left to make. */
  readonly #going: Set<number>;
  /** vCPUs that have stopped and whose stop was noted. */
  readonly #noted = new Set<number>();
  /** For each vCPU, how many full stops that it resumed from are in the times already. */
  readonly #fullStops: number[];
  readonly #stores: number[];
  /** For each ring, the entries that had been harvested when its vCPU was last resumed. */
  readonly #entriesBefore: number[];
  /** The pages that the pattern names, each once. */
  readonly #pages: Uint32Array<ArrayBuffer>;
  #auditAt = 0;
  #started = 0;
  #isOver = false;
  /** When all rings were last harvested, and the entries until then. */
  #rated = { atMs: 0, entries: 0 };
  /** Entries harvested per second, between two harvests of all rings. */
  readonly entriesPerSecond: Samples = new Samples();
  /** Nanoseconds from starting the vCPUs until all had stopped. */
  elapsedNs = 0;
  // For each vCPU, the full exits that the harvester served.
  readonly #fullExits: number[];
  /** How often all vCPUs were stopped for a check of memory. */
  audits = 0;
  /** Pages that were checked before the end. */
  auditedPages = 0;
  /** The failure that ended the run early, if any. */
  error: string | null = null;
  /** Whether `watch` ended the run. */
  isClosed = false;

  /** Prepares a run. */
  constructor(parts: LiveParts) {
    this.#parts = parts;
    const { lab } = parts;
    this.#ids = lab.vcpus.map((_, id) => id);
    this.#going = new Set(this.#ids);
    this.#stores = this.#ids.map(() => 0);
    this.#entriesBefore = this.#ids.map(() => 0);
    this.#fullStops = this.#ids.map(() => 0);
    this.#fullExits = this.#ids.map(() => 0);
    const seen = new PageSet(lab.pages.total);
    this.#pages = lab.plan.sequence.filter((page) => seen.add(page));
  }

  /** The stores that a vCPU made; valid once the run is over. */
  storesOf(id: number): number {
    return this.#stores[id]!;
  }

  /** The full exits of a vCPU, whether the harvester or the vCPU's thread served them. */
  fullExitsOf(id: number): number {
    return this.#fullExits[id]! + this.#parts.reaper.servedByThreads[id]!;
  }

  /** Runs to the end, whatever causes it, and checks all memory. */
  async toEnd(): Promise<void> {
    const { vcpus } = this.#parts;
    this.#started = vcpus.now();
    this.#rated.atMs = this.#started;
    try {
      for (const id of this.#ids) this.#resume(id);
      await this.#loop();
    } catch (error) {
      this.#fail(error);
    } finally {
      vcpus.stop();
    }
    this.elapsedNs = this.#elapsed();
    await this.#conclude();
  }

  // An error of a kernel, a guest or the host ends the run; only the first one is kept. Anything
  // else is a bug and is rethrown.
  #fail(error: unknown): void {
    if (
      !(error instanceof KernelError || error instanceof GuestError || error instanceof HostError)
    ) throw error;
    this.error ??= error.said(this.#parts.options.naming ?? ((value) => value));
  }

  /**
   * Runs a step that may fail, on a dead VM for example. What was gathered so far is still
   * reported.
   *
   * @returns Its result, or `null` if it failed; `error` then says how.
   */
  attempt<Answer>(step: () => Answer): Answer | null {
    try {
      return step();
    } catch (error) {
      this.#fail(error);
      return null;
    }
  }

  async #loop(): Promise<void> {
    const { vcpus, reaper, interrupt, options } = this.#parts;
    const end = this.#started + (options.durationMs ?? options.timeoutMs);
    using _step = interrupt.progress?.begin(this.#step());
    let nextHarvest = this.#started + options.intervalMs;
    let nextAudit = this.#started + AUDIT_MS;
    while (this.#going.size > 0 && !this.#isOver && interrupt.signal === null) {
      const until = Math.min(nextHarvest, end) - vcpus.now();
      vcpus.wait(Math.min(Math.max(until, 0), vcpus.turnMs));
      this.#serveStopped();
      reaper.collect();
      const now = vcpus.now();
      if (now >= nextHarvest && !this.#isOver) {
        // An audit replaces one of the harvests that were asked for, and so keeps to their
        // intervals.
        const isAudit = now >= nextAudit;
        if (isAudit) this.#audit();
        else this.#reap(this.#ids);
        this.#noteRate(vcpus.now());
        nextHarvest = Math.max(nextHarvest + options.intervalMs, now);
        if (isAudit) nextAudit = vcpus.now() + AUDIT_MS;
        this.#tell();
      }
      if (now >= end && this.#going.size > 0 && !this.#isOver) return this.#atEnd();
      if (interrupt.isDue) await interrupt.pause();
    }
  }

  // Entries tell how many stores were made, as far as each pushes one. vCPUs that run cannot be
  // asked.
  #step(): WorkStep {
    const { vcpus, reaper, options: { durationMs, stores } } = this.#parts;
    const what = "running the guest";
    return durationMs !== null
      ? { what, total: durationMs, done: () => vcpus.now() - this.#started }
      : {
        what,
        total: stores,
        done: () => reaper.rings.reduce((sum, { entries }) => sum + entries, 0),
      };
  }

  // How far each vCPU got is only known once all have stopped, and the last store may have been
  // made by then.
  #atEnd(): void {
    const { vcpus, lab, options: { stores, durationMs, timeoutMs } } = this.#parts;
    if (durationMs !== null || stores === null) return;
    vcpus.stop();
    const shares = sharesOf(vcpus, quotas(lab.vcpus, stores));
    if (shares.some(({ made, asked }) => made < asked)) {
      throw new GuestError((name) => unfinishedText(shares, timeoutMs, name));
    }
  }

  // Serves the vCPUs that have stopped. All full rings are harvested together and their vCPUs
  // resumed; only then their pages are read, to keep the stop short.
  #serveStopped(): void {
    const { reaper } = this.#parts;
    const full = [...this.#going].filter((id) => this.#noteStop(id) === "full");
    if (full.length === 0) return;
    reaper.reap(full);
    for (const id of full) {
      // Compare with the count at the last resume: a harvest of all rings may have come between the
      // exit and this harvest.
      if (reaper.rings[id]!.entries === this.#entriesBefore[id]) this.#wedged(id);
      else this.#resume(id);
    }
    reaper.inspect();
  }

  #resume(id: number): void {
    const { vcpus, reaper } = this.#parts;
    this.#entriesBefore[id] = reaper.rings[id]!.entries;
    this.#noted.delete(id);
    vcpus.resume(id);
  }

  // Records a stop. Returns its kind, or null if the vCPU runs.
  #noteStop(id: number): ExpectedStop | null {
    const { lab, vcpus } = this.#parts;
    const stop = vcpus.stopOf(id);
    if (stop === null) return null;
    this.#noted.add(id);
    this.#noteFullStop(id);
    const how = expectedStop(lab, id, stop);
    if (how === "full") this.#fullExits[id]!++;
    if (how === "done") this.#going.delete(id);
    return how;
  }

  // A thread knows the duration of a full stop only after it runs again; it is recorded at the next
  // stop.
  #noteFullStop(id: number): void {
    const { resumed, lastResumedNs } = this.#parts.vcpus.fullStops(id);
    if (resumed === this.#fullStops[id]) return;
    this.#fullStops[id] = resumed;
    this.#parts.reaper.noteServed(lastResumedNs);
  }

  #wedged(id: number): void {
    const { reaper, witness } = this.#parts;
    reaper.cycle.noteWedged(id);
    witness.noteOverflow(id);
    this.#isOver = true;
  }

  // The rate of entries since the harvest of all rings before.
  #noteRate(now: number): void {
    const entries = this.#parts.reaper.rings.reduce((sum, ring) => sum + ring.entries, 0);
    const { atMs, entries: before } = this.#rated;
    if (now > atMs) this.entriesPerSecond.add((entries - before) / (now - atMs) * 1000);
    this.#rated = { atMs: now, entries };
  }

  #reap(ids: readonly number[]): void {
    const { reaper } = this.#parts;
    reaper.reap(ids);
    reaper.inspect();
  }

  // A harvest is complete only while no vCPU runs: with PML, entries reach the ring only at exits.
  #audit(): void {
    const { vcpus } = this.#parts;
    vcpus.stop();
    const going = [...this.#going];
    for (const id of going) this.#noteStop(id);
    this.#reap(this.#ids);
    this.#checkSome();
    for (const id of this.#going) this.#resume(id);
  }

  #checkSome(): void {
    const { witness } = this.#parts;
    const pages = this.#pages.subarray(this.#auditAt, this.#auditAt + AUDIT_PAGES);
    witness.check(pages);
    this.auditedPages += pages.length;
    this.#auditAt = this.#auditAt + AUDIT_PAGES < this.#pages.length
      ? this.#auditAt + AUDIT_PAGES
      : 0;
    this.audits++;
  }

  // All vCPUs have stopped: the last harvest, and a check of every page.
  async #conclude(): Promise<void> {
    const { lab, vcpus, reaper, witness, interrupt } = this.#parts;
    const stored: Uint32Array[] = [];
    for (const id of this.#ids) {
      if (vcpus.stopOf(id)?.kind === "full" && !this.#noted.has(id)) this.#fullExits[id]!++;
      this.#noteFullStop(id);
      // A dead VM cannot say how far it got.
      const made = this.attempt(() => vcpus.placeOf(id).stores);
      this.#stores[id] = made ?? 0;
      stored.push(lab.storedTo(id, made ?? Infinity));
    }
    this.attempt(() => this.#reap(this.#ids));
    // After the last reset a ring must be empty.
    for (const id of reaper.cycle.conclude()) witness.noteOverflow(id);
    // These pages are always checked; an interrupt may only cut the check of the others short.
    for (const pages of stored) witness.check(pages);
    this.audits++;
    await checkMemory(lab, witness, interrupt);
    if (witness.strays > 0) reaper.problems.add(`${witness.strays} entries name no logged page`);
    reaper.orders?.forEach((order, id) => this.#checkOrder(order, id));
  }

  #checkOrder({ missing, strange }: PushOrder, id: number): void {
    const { problems } = this.#parts.reaper;
    if (missing > 0) {
      problems.add(`${missing} stores of vCPU ${id} have no entry that was harvested`);
    }
    if (strange > 0) problems.add(`${strange} entries of vCPU ${id} name a page out of turn`);
  }

  #tell(): void {
    const { watch } = this.#parts.options;
    if (watch === undefined || watch(this.#progress())) return;
    this.isClosed = true;
    this.#isOver = true;
  }

  #progress(): LiveProgress {
    const { reaper, witness } = this.#parts;
    return {
      schema: "dirtyring.live-progress/1",
      elapsedNs: this.#elapsed(),
      vcpus: reaper.rings.map((ring, vcpu) => {
        const { entries, most } = ring;
        ring.most = 0;
        return { vcpu, entries, occupancy: most, fullExits: this.fullExitsOf(vcpu) };
      }),
      resets: reaper.resetNs.count,
      resetEntries: reaper.resetEntries,
      lost: witness.lost.count,
      audits: this.audits,
      problems: reaper.problems.count,
    };
  }

  #elapsed(): number {
    return nanoseconds(this.#parts.vcpus.now() - this.#started);
  }
}
