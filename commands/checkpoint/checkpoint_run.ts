import type { CheckpointHeader } from "../../checkpoint/checkpoint_header.ts";
import type { CheckpointContent } from "../../checkpoint/checkpoint_writer.ts";
import { type ExpectedStop, expectedStop } from "../../drive/expected_stop.ts";
import { HarvestCycle } from "../../drive/harvest_cycle.ts";
import type { LiveVcpus } from "../../drive/live_vcpus.ts";
import { KernelError } from "../../ffi/errors.ts";
import { nanoseconds, nanosecondsSince, PAGE_SIZE } from "../../ffi/linux.ts";
import { EndedBySignal, GuestError } from "../../host/errors.ts";
import { type InterruptWatch, lastWrite } from "../../host/interrupt.ts";
import type { WorkStep } from "../../host/progress.ts";
import type { GuestVm } from "../../machine/guest_vm.ts";
import { DirtySet } from "../../memory/page_sets.ts";
import {
  type CheckpointOptions,
  type Epoch,
  type EpochEnd,
  EpochLog,
} from "./checkpoint_result.ts";
import type { Replica } from "./replica.ts";
import { VcpuSnapshots } from "./vcpu_snapshots.ts";

/** The part of a file's header that is the same for every epoch. */
export type MachineHeader = Pick<CheckpointHeader, "kernel" | "tracking" | "lab">;

/** What a run works with. */
export interface CheckpointParts {
  /** The VM, fresh. */
  readonly vm: GuestVm;
  /** Its vCPUs, stopped. */
  readonly vcpus: LiveVcpus;
  /** The replica. */
  readonly replica: Replica;
  /** The part of the file header that is the same for every epoch. */
  readonly header: MachineHeader;
  /** Ends the run early. */
  readonly interrupt: InterruptWatch;
  /** The options. */
  readonly options: CheckpointOptions;
}

/** Milliseconds between turns of the event loop, in which signals and ended threads are noticed. */
const TURN_MS = 20;
/** The same while a file is being written: the writing proceeds in these turns. */
const WRITING_TURN_MS = 2;
/** Milliseconds between harvests if the number of dirty pages is limited. */
const LOOK_MS = 1;

/** Ends of an epoch that end the whole run. */
const LAST: ReadonlySet<EpochEnd> = new Set<EpochEnd>(
  ["duration", "stores", "interrupt", "closed", "overflow", "error"],
);

/**
 * The loop that keeps a replica. In each epoch the vCPUs run; then all stop, and what they dirtied
 * is learned, re-protected and copied. A vCPU makes no stores between its stop and its resumption,
 * so none can fall between the three steps.
 *
 * A vCPU whose ring is full in the middle of an epoch is harvested, reset and resumed alone. If the
 * number of dirty pages is limited, rings are also harvested in between, but those entries are only
 * marked, not reset. A reset would re-protect pages that the epoch copies anyway: the next store to
 * each would fault, be pushed and be harvested once more. Only room in a full ring is worth that.
 *
 * A file is written from the replica while the vCPUs run on. The next pause waits until the file is
 * done.
 */
export class CheckpointRun {
  readonly #parts: CheckpointParts;
  readonly #ids: readonly number[];
  /** vCPUs that have stores left to make. */
  readonly #going: Set<number>;
  /** vCPUs that stopped because of a full ring and were counted already. */
  readonly #full = new Set<number>();
  /**
   * What had been learned of each vCPU when it was last resumed. A full exit with nothing learned
   * since then means that the ring is wedged. It must be compared with the last resume, not with
   * the last look: a look may harvest the ring after the exit but before the exit is noticed, and
   * then nothing is left to learn although all is well.
   */
  readonly #learnedBefore: number[] = [];
  readonly #pages: DirtySet;
  readonly #snapshots: VcpuSnapshots;
  #fullExits = 0;
  #started = 0;
  #began = 0;
  #hasCopiedAll = false;
  #writing: Promise<void> | null = null;
  #writeError: unknown = null;
  /**
   * Whether a signal left no time to finish a file. None may follow it: it would lack what that one
   * should have had.
   */
  #isGivenUp = false;
  #epoch = 0;
  /** The steps that learn what is dirty. */
  readonly cycle: HarvestCycle;
  /** The epochs. */
  readonly log: EpochLog = new EpochLog();
  /** Nanoseconds from starting the vCPUs until all had stopped for good. */
  elapsedNs = 0;
  /** The failure that ended the run early, if any. */
  error: string | null = null;
  /** Whether `watch` ended the run. */
  isClosed = false;

  /** Prepares a run. */
  constructor(parts: CheckpointParts) {
    this.#parts = parts;
    const { vm } = parts;
    this.cycle = new HarvestCycle(vm.tracker);
    this.#ids = vm.vcpus.map((_, id) => id);
    this.#going = new Set(this.#ids);
    this.#pages = new DirtySet(vm.pages.total);
    this.#snapshots = new VcpuSnapshots(vm.vcpus.length);
  }

  /**
   * Whether the replica has all that the guest stored, which it has once the last epoch is over.
   */
  get hasCopiedAll(): boolean {
    return this.#hasCopiedAll;
  }

  /** Runs to the end, whatever causes it, and closes the last epoch. */
  async toEnd(): Promise<void> {
    const { vcpus } = this.#parts;
    try {
      await this.#failing(() => this.#loop());
    } finally {
      vcpus.stop();
      await this.#writing; // the writing reads the replica
    }
    // A failure may have left an epoch open. Bring the replica up to date as far as possible.
    if (this.error !== null && !this.#hasCopiedAll) {
      await this.#failing(async () => void await this.#endEpoch("error", true, false));
    }
    this.cycle.conclude();
  }

  // An error of a kernel, a guest or a disk ends the run. Anything else is a bug and is rethrown.
  async #failing(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof KernelError || error instanceof GuestError)) throw error;
      this.error ??= error.message;
    }
  }

  async #loop(): Promise<void> {
    const { vcpus, options: { writer, durationMs, epochs } } = this.#parts;
    if (writer !== null) {
      this.#takeState();
      await this.#write(this.#content(new Uint32Array(0)));
    }
    this.#started = this.#began = vcpus.now();
    const end = durationMs === null ? Infinity : this.#started + durationMs;
    using _step = this.#parts.interrupt.progress?.begin(this.#step());
    this.#resumeAll();
    for (let isLast = false; !isLast;) {
      const endedBy = await this.#runEpoch(end);
      const mayBeLast = LAST.has(endedBy) || this.#epoch + 1 === epochs;
      isLast = await this.#endEpoch(endedBy, mayBeLast, writer !== null);
    }
    await this.#written();
  }

  // The shorter of the two tells how long it takes; epochs may end early.
  #step(): WorkStep {
    const { vcpus, options: { durationMs, epochs, intervalMs } } = this.#parts;
    const what = "keeping the replica";
    if (durationMs === null || (epochs !== null && epochs * intervalMs < durationMs)) {
      return { what, unit: "epochs", total: epochs, done: () => this.#epoch };
    }
    return { what, total: durationMs, done: () => vcpus.now() - this.#started };
  }

  async #runEpoch(end: number): Promise<EpochEnd> {
    const { vcpus, interrupt, options: { intervalMs, maxDirty } } = this.#parts;
    const due = this.#began + intervalMs;
    for (;;) {
      this.#checkWriting();
      if (this.#going.size === 0) return "stores";
      if (interrupt.signal !== null) return "interrupt";
      if (this.isClosed) return "closed";
      const now = vcpus.now();
      if (now >= end) return "duration";
      const isWriting = this.#writing !== null;
      if (now >= due && !isWriting) return "interval";
      const left = Math.min(now >= due ? Infinity : due - now, end - now);
      // With a limit every look harvests. The turn must then not depend on the kernel, or a run on
      // the model would not be repeatable.
      const turn = maxDirty !== null
        ? LOOK_MS
        : Math.min(isWriting ? WRITING_TURN_MS : TURN_MS, vcpus.turnMs);
      vcpus.wait(Math.min(left, turn));
      const stop = this.#serve();
      if (stop !== null) return stop;
      if (isWriting || interrupt.isDue) await interrupt.pause(true);
    }
  }

  // Looks after the running vCPUs: full rings, and the number of dirty pages.
  #serve(): "max-dirty" | "overflow" | null {
    const { vm: { tracker, pages }, options: { maxDirty } } = this.#parts;
    const full = this.#ids.filter((id) => this.#noteStop(id) === "full");
    if (maxDirty !== null) this.cycle.learnInto(this.#pages, pages, this.#ids);
    else if (full.length > 0) this.cycle.learnInto(this.#pages, pages, full);
    const wedged = full.find((id) => tracker.learnedOf(id) === this.#learnedBefore[id]);
    if (wedged !== undefined) {
      this.cycle.noteWedged(wedged);
      return "overflow";
    }
    // In that case a full ring stays full, and its vCPU stopped, until the end of the epoch.
    if (maxDirty !== null && this.#pages.count >= maxDirty) return "max-dirty";
    if (full.length === 0) return null;
    this.cycle.rearm();
    for (const id of full) this.#resume(id);
    return null;
  }

  // Records how a vCPU stopped; null if it runs.
  #noteStop(id: number): ExpectedStop | null {
    const { vm, vcpus } = this.#parts;
    const stop = expectedStop(vm, id, vcpus.stopOf(id));
    if (stop === "done") this.#going.delete(id);
    if (stop === "full" && !this.#full.has(id)) {
      this.#full.add(id);
      this.#fullExits++;
    }
    return stop;
  }

  #resume(id: number): void {
    const { vm: { tracker }, vcpus } = this.#parts;
    this.#full.delete(id);
    this.#learnedBefore[id] = tracker.learnedOf(id);
    vcpus.resume(id);
  }

  #resumeAll(): void {
    for (const id of this.#going) this.#resume(id);
  }

  // Ends an epoch: this is the pause. Answers whether it was the last: also if a signal left no time
  // to copy its pages.
  async #endEpoch(endedBy: EpochEnd, isLast: boolean, isKept: boolean): Promise<boolean> {
    const { vm, vcpus, replica, interrupt } = this.#parts;
    const times = [performance.now()];
    const lap = () => times.push(performance.now());
    vcpus.stop();
    const stoppedAt = vcpus.now();
    lap();
    await this.#writing;
    if (endedBy !== "error") {
      this.#checkWriting();
      for (const id of this.#ids) this.#noteStop(id);
    }
    lap();
    this.cycle.learnInto(this.#pages, vm.pages, this.#ids);
    lap();
    this.cycle.rearm();
    lap();
    const pages = this.#pages.sorted();
    const isCopied = await replica.copy(pages, interrupt);
    lap();
    const keeps = isKept && isCopied && !this.#isGivenUp;
    if (keeps) this.#takeState();
    else if (isLast) replica.copySlot0();
    lap();
    const isOver = isLast || !isCopied;
    if (isOver) {
      this.#hasCopiedAll = isCopied;
      this.elapsedNs = nanoseconds(stoppedAt - this.#started);
    } else this.#resumeAll();
    lap();

    const [stopNs, waitNs, learnNs, rearmNs, copyNs, stateNs, resumeNs] = lapsOf(times);
    const { maxDirty } = this.#parts.options;
    const epoch: Epoch = {
      epoch: ++this.#epoch,
      endedBy: isCopied ? endedBy : "interrupt",
      ranNs: nanoseconds(stoppedAt - this.#began),
      dirtyPages: pages.length,
      overshoot: maxDirty === null ? null : Math.max(0, pages.length - maxDirty),
      fullExits: this.#fullExits,
      pauseNs: nanoseconds(times[times.length - 1]! - times[0]!),
      stopNs: stopNs!,
      waitNs: waitNs!,
      learnNs: learnNs!,
      rearmNs: rearmNs!,
      copyNs: copyNs!,
      stateNs: stateNs!,
      resumeNs: resumeNs!,
      bytes: isCopied ? pages.length * PAGE_SIZE : 0,
      writeNs: null,
      fileBytes: null,
    };
    const kept = keeps ? pages.slice() : null;
    this.#pages.clear();
    this.#fullExits = 0;
    this.#began = vcpus.now();
    if (kept === null) {
      this.#tell(epoch);
      return isOver;
    }
    this.#beginWriting(epoch, kept);
    // On the model no time may pass while a file is written, so that every run is the same.
    if (vm.kernel.backend === "model") await this.#written();
    return isOver;
  }

  #takeState(): void {
    const { vm, vcpus, replica } = this.#parts;
    replica.copySlot0();
    this.#snapshots.take(vm, vcpus);
  }

  #content(pages: Uint32Array<ArrayBuffer>): CheckpointContent {
    const { replica, header } = this.#parts;
    const { registers, places } = this.#snapshots;
    return {
      header: { ...header, vcpus: places },
      registers,
      pages,
      slot0: replica.slot0,
      memory: replica.bytes,
    };
  }

  // Writes a file. After a signal it has half a second, and is given up then.
  async #write(content: CheckpointContent): Promise<number> {
    const { interrupt, options: { writer } } = this.#parts;
    const goesOn = lastWrite(interrupt);
    let written = 0;
    using _step = interrupt.progress?.begin({
      what: "writing a checkpoint",
      total: content.slot0.length + content.pages.length * PAGE_SIZE,
      done: () => written,
    });
    return await writer!.write(content, (bytes) => {
      written += bytes;
      if (!goesOn()) throw new EndedBySignal(interrupt.signal!);
    });
  }

  #beginWriting(epoch: Epoch, pages: Uint32Array<ArrayBuffer>): void {
    const started = performance.now();
    const write = async () => {
      let written = epoch;
      try {
        const fileBytes = await this.#write(this.#content(pages));
        written = { ...epoch, fileBytes, writeNs: nanosecondsSince(started) };
      } catch (error) {
        // A file that a signal gave no time for is not there, and the epoch says so.
        if (error instanceof EndedBySignal) this.#isGivenUp = true;
        else this.#writeError = error;
      }
      this.#tell(written);
    };
    // Never rejects, even if `watch` throws: the error is kept and checked later.
    this.#writing = write().catch((error) => this.#writeError ??= error)
      .finally(() => this.#writing = null);
  }

  // Waits until no file is being written.
  async #written(): Promise<void> {
    await this.#writing;
    this.#checkWriting();
  }

  #checkWriting(): void {
    if (this.#writeError !== null) throw this.#writeError;
  }

  #tell(epoch: Epoch): void {
    this.log.add(epoch);
    const { watch } = this.#parts.options;
    if (watch !== undefined && !this.isClosed && !watch(epoch)) this.isClosed = true;
  }
}

function lapsOf(times: readonly number[]): number[] {
  return times.slice(1).map((time, n) => nanoseconds(time - times[n]!));
}
