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
import type { RingVm } from "../../machine/guest_vm.ts";
import { checkMemory } from "../../machine/touched_pages.ts";
import { PageSet } from "../../memory/page_sets.ts";
import type { PushOrder } from "../../memory/push_order.ts";
import type { Witness } from "../../memory/witness.ts";
import type { LiveProgress } from "./live_result.ts";

/** How a live run goes. */
export interface LiveOptions {
  /** Stores to make, over all vCPUs; `null` for as many as they can in the time. */
  readonly stores: number | null;
  /** Milliseconds to run; `null` where the stores end it. */
  readonly durationMs: number | null;
  /** Milliseconds between two harvests of all rings. */
  readonly intervalMs: number;
  /** Milliseconds that the stores may take. */
  readonly timeoutMs: number;
  /** How the result's texts call the stores and the time; by their names unless given. */
  readonly naming?: Naming;
  /** Whether entries are sorted in the ring before they are marked. */
  readonly sort?: boolean;
  /** Whether the harvest is held against what the kernel itself counts. */
  readonly witness?: boolean;
  /** Is told after each harvest of all rings; answers whether the run shall go on. */
  readonly watch?: (progress: LiveProgress) => boolean;
  /** Makes what harvests: a test hands a broken one in. */
  readonly reaper?: (lab: RingVm, witness: Witness) => Reaper;
  /** The program of a vCPU's thread, for a test that breaks it. */
  readonly thread?: URL;
}

/** What a live run is made of. */
export interface LiveParts {
  /** The lab. */
  readonly lab: RingVm;
  /** Its vCPUs, standing still. */
  readonly vcpus: LiveVcpus;
  /** What harvests. */
  readonly reaper: Reaper;
  /** What remembers the pages read. */
  readonly witness: Witness;
  /** Ends it early. */
  readonly interrupt: InterruptWatch;
  /** How it goes. */
  readonly options: LiveOptions;
}

/** At the first harvest after as long all vCPUs stand still, and memory is checked. */
const AUDIT_MS = 1000;
/** Pages that such a check looks at, so that it takes a millisecond or two. */
const AUDIT_PAGES = 1 << 14;

/** The loop of a live run, and what it counts. */
export class LiveRun {
  readonly #parts: LiveParts;
  readonly #ids: readonly number[];
  /** vCPUs with stores left to make. */
  readonly #going: Set<number>;
  /** vCPUs that stand still, and whose stop is noted. */
  readonly #noted = new Set<number>();
  /** Resumed full stops of each vCPU whose times are taken. */
  readonly #fullStops: number[];
  readonly #stores: number[];
  /** Entries harvested of each ring when its vCPU was let run last. */
  readonly #entriesBefore: number[];
  /** The pages that the pattern names, once each. */
  readonly #pages: Uint32Array<ArrayBuffer>;
  #auditAt = 0;
  #started = 0;
  #isOver = false;
  /** Nanoseconds from letting the vCPUs run until all stood still. */
  elapsedNs = 0;
  // Full exits that the harvester served, by vCPU.
  readonly #fullExits: number[];
  /** Times that all vCPUs stood still for a check. */
  audits = 0;
  /** Pages that were looked at meanwhile, before the end. */
  auditedPages = 0;
  /** What ended it before its time. */
  error: string | null = null;
  /** Whether the watcher ended it. */
  isClosed = false;

  /**
   * Makes ready.
   *
   * @param parts What it is made of.
   */
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

  /** The stores that a vCPU made, once the run is over. */
  storesOf(id: number): number {
    return this.#stores[id]!;
  }

  /** The full exits of a vCPU, whoever served them. */
  fullExitsOf(id: number): number {
    return this.#fullExits[id]! + this.#parts.reaper.servedByThreads[id]!;
  }

  /** Runs to the end, whatever ends it, and checks all memory. */
  async toEnd(): Promise<void> {
    const { vcpus } = this.#parts;
    this.#started = vcpus.now();
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

  // What a kernel or a guest brings about ends the run, and the first of it is told; anything else is a defect, and
  // passes.
  #fail(error: unknown): void {
    if (
      !(error instanceof KernelError || error instanceof GuestError || error instanceof HostError)
    ) throw error;
    this.error ??= error.said(this.#parts.options.naming ?? ((value) => value));
  }

  /**
   * Takes a step that may fail, as on a VM that is dead: what was gathered so far is answered all the same.
   *
   * @returns Its answer, or `null` where it failed; `error` then says how.
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
    let nextHarvest = this.#started + options.intervalMs;
    let nextAudit = this.#started + AUDIT_MS;
    while (this.#going.size > 0 && !this.#isOver && interrupt.signal === null) {
      const until = Math.min(nextHarvest, end) - vcpus.now();
      vcpus.wait(Math.min(Math.max(until, 0), vcpus.turnMs));
      this.#serveStopped();
      reaper.collect();
      const now = vcpus.now();
      if (now >= nextHarvest && !this.#isOver) {
        // An audit is one of the harvests that were asked for, and comes at their intervals.
        const isAudit = now >= nextAudit;
        if (isAudit) this.#audit();
        else this.#reap(this.#ids);
        nextHarvest = Math.max(nextHarvest + options.intervalMs, now);
        if (isAudit) nextAudit = vcpus.now() + AUDIT_MS;
        this.#tell();
      }
      if (now >= end && this.#going.size > 0 && !this.#isOver) return this.#atEnd();
      if (interrupt.isDue) await interrupt.pause();
    }
  }

  // How far each vCPU has come is known once all stand still; the last store may have come meanwhile.
  #atEnd(): void {
    const { vcpus, lab, options: { stores, durationMs, timeoutMs } } = this.#parts;
    if (durationMs !== null || stores === null) return;
    vcpus.stop();
    const shares = sharesOf(vcpus, quotas(lab.vcpus, stores));
    if (shares.some(({ made, asked }) => made < asked)) {
      throw new GuestError((name) => unfinishedText(shares, timeoutMs, name));
    }
  }

  // Who has stopped: the full ones are harvested together, run on, and only then their pages are read.
  #serveStopped(): void {
    const { reaper } = this.#parts;
    const full = [...this.#going].filter((id) => this.#noteStop(id) === "full");
    if (full.length === 0) return;
    reaper.reap(full);
    for (const id of full) {
      // A harvest of all rings may have come between the exit and this one.
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

  // Takes note of a stop; answers how it came, or null where the vCPU runs.
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

  // Its thread knows the time once the vCPU runs again: it is taken at its next stop.
  #noteFullStop(id: number): void {
    const { resumed, lastResumedNs } = this.#parts.vcpus.fullStops(id);
    if (resumed === this.#fullStops[id]) return;
    this.#fullStops[id] = resumed;
    this.#parts.reaper.servedNs.add(lastResumedNs);
  }

  #wedged(id: number): void {
    const { reaper, witness } = this.#parts;
    reaper.cycle.noteWedged(id);
    witness.noteOverflow(id);
    this.#isOver = true;
  }

  #reap(ids: readonly number[]): void {
    const { reaper } = this.#parts;
    reaper.reap(ids);
    reaper.inspect();
  }

  // A harvest is complete only while no vCPU runs: with PML entries reach the ring at exits alone.
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

  // All stand still: the last harvest, and every page.
  async #conclude(): Promise<void> {
    const { lab, vcpus, reaper, witness, interrupt } = this.#parts;
    const stored: Uint32Array[] = [];
    for (const id of this.#ids) {
      if (vcpus.stopOf(id)?.kind === "full" && !this.#noted.has(id)) this.#fullExits[id]!++;
      this.#noteFullStop(id);
      // Of a VM that is dead nobody knows how far it came.
      const made = this.attempt(() => vcpus.placeOf(id).stores);
      this.#stores[id] = made ?? 0;
      stored.push(lab.storedTo(id, made ?? Infinity));
    }
    this.attempt(() => this.#reap(this.#ids));
    // After the last reset a ring holds nothing any more.
    for (const id of reaper.cycle.conclude()) witness.noteOverflow(id);
    // All of these, whatever ended the run; an interrupt may cut the look at the others short.
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
