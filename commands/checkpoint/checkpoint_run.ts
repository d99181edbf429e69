import type { CheckpointHeader } from "../../checkpoint/checkpoint_header.ts";
import type { CheckpointContent } from "../../checkpoint/checkpoint_writer.ts";
import { type ExpectedStop, expectedStop } from "../../drive/expected_stop.ts";
import { HarvestCycle } from "../../drive/harvest_cycle.ts";
import type { LiveVcpus, VcpuPlace } from "../../drive/live_vcpus.ts";
import { KernelError } from "../../ffi/errors.ts";
import { nanoseconds, nanosecondsSince, PAGE_SIZE } from "../../ffi/linux.ts";
import { GuestError } from "../../host/errors.ts";
import type { InterruptWatch } from "../../host/interrupt.ts";
import { completeExit, saveVcpuState, VCPU_STATE_BYTES } from "../../kvm/vcpu.ts";
import type { GuestVm } from "../../machine/guest_vm.ts";
import { DirtySet } from "../../memory/page_sets.ts";
import {
  type CheckpointOptions,
  type Epoch,
  type EpochEnd,
  EpochLog,
} from "./checkpoint_result.ts";
import type { Replica } from "./replica.ts";

/** What a file's header says of the machine, whatever the epoch. */
export type MachineHeader = Pick<CheckpointHeader, "kernel" | "tracking" | "lab">;

/** What a run is made of. */
export interface CheckpointParts {
  /** The VM, fresh. */
  readonly vm: GuestVm;
  /** Its vCPUs, standing still. */
  readonly vcpus: LiveVcpus;
  /** The replica. */
  readonly replica: Replica;
  /** What every file's header says of the machine. */
  readonly header: MachineHeader;
  /** Ends it early. */
  readonly interrupt: InterruptWatch;
  /** How it goes. */
  readonly options: CheckpointOptions;
}

/** The event loop gets a turn this often, in which signals, and the end of threads, are seen. */
const TURN_MS = 20;
/** As often while a file is written: that goes on in these turns. */
const WRITING_TURN_MS = 2;
/** As often rings are harvested where the number of dirty pages is limited. */
const LOOK_MS = 1;

/** What ends the whole run with its epoch. */
const LAST: ReadonlySet<EpochEnd> = new Set<EpochEnd>(
  ["duration", "stores", "interrupt", "closed", "overflow", "error"],
);

/**
 * The loop that keeps a replica: epoch after epoch vCPUs run, then all stand still while what they dirtied is
 * learned, re-armed and copied. What a vCPU stores between its stop and its resumption is nothing, so no store comes
 * between the three.
 *
 * A vCPU whose ring is full in mid-epoch is harvested, reset and resumed alone. Otherwise entries are only marked
 * in mid-epoch, where the number of dirty pages is limited, and not reset: a reset would re-protect pages which
 * the epoch copies in any case, and each would fault, be pushed and be harvested once more when it is stored to
 * again. Only room in the ring is worth that.
 *
 * A file is written from the replica while vCPUs run on; the next pause has to wait until that is done.
 */
export class CheckpointRun {
  readonly #parts: CheckpointParts;
  readonly #ids: readonly number[];
  /** vCPUs with stores left to make. */
  readonly #going: Set<number>;
  /** vCPUs that stand still for a full ring which is counted. */
  readonly #full = new Set<number>();
  /**
   * What was learned of each vCPU before it was let run last. Its ring may be harvested and reset between its full
   * exit and the moment when that is seen: nothing is left to learn then, and all is well.
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
  #epoch = 0;
  /** The steps by which it learns what is dirty. */
  readonly cycle: HarvestCycle;
  /** The epochs. */
  readonly log: EpochLog = new EpochLog();
  /** Nanoseconds from letting the vCPUs run until all stood still for good. */
  elapsedNs = 0;
  /** What ended it before its time. */
  error: string | null = null;
  /** Whether the watcher ended it. */
  isClosed = false;

  /**
   * Makes ready.
   *
   * @param parts What it is made of.
   */
  constructor(parts: CheckpointParts) {
    this.#parts = parts;
    const { vm } = parts;
    this.cycle = new HarvestCycle(vm.tracker);
    this.#ids = vm.vcpus.map((_, id) => id);
    this.#going = new Set(this.#ids);
    this.#pages = new DirtySet(vm.pages.total);
    this.#snapshots = new VcpuSnapshots(vm.vcpus.length);
  }

  /** Whether the replica has all that the guest stored: the last epoch came to its end. */
  get hasCopiedAll(): boolean {
    return this.#hasCopiedAll;
  }

  /** Runs to the end, whatever ends it, and closes the last epoch. */
  async toEnd(): Promise<void> {
    const { vcpus } = this.#parts;
    try {
      await this.#failing(() => this.#loop());
    } finally {
      vcpus.stop();
      await this.#writing; // it reads the replica
    }
    // What failed may have left an epoch open: the replica is brought up to date, as far as that can be done.
    if (this.error !== null && !this.#hasCopiedAll) {
      await this.#failing(() => this.#endEpoch("error", true, false));
    }
    this.cycle.conclude();
  }

  // What a kernel, a guest or a disk brings about ends the run; anything else is a defect, and passes.
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
      await writer.write(this.#content(new Uint32Array(0)));
    }
    this.#started = this.#began = vcpus.now();
    const end = durationMs === null ? Infinity : this.#started + durationMs;
    this.#resumeAll();
    for (let isLast = false; !isLast;) {
      const endedBy = await this.#runEpoch(end);
      isLast = LAST.has(endedBy) || this.#epoch + 1 === epochs;
      await this.#endEpoch(endedBy, isLast, writer !== null);
    }
    await this.#written();
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
      // Each look learns: as often, then, whatever the kernel, or a run on the model would come out otherwise.
      const turn = maxDirty !== null
        ? LOOK_MS
        : Math.min(isWriting ? WRITING_TURN_MS : TURN_MS, vcpus.turnMs);
      vcpus.wait(Math.min(left, turn));
      const stop = this.#serve();
      if (stop !== null) return stop;
      if (isWriting || interrupt.isDue) await interrupt.pause(true);
    }
  }

  // Looks after the vCPUs that run: rings that are full, and the number of dirty pages.
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
    // A full ring then stays full, and its vCPU stands still, until the epoch's end.
    if (maxDirty !== null && this.#pages.count >= maxDirty) return "max-dirty";
    if (full.length === 0) return null;
    this.cycle.rearm();
    for (const id of full) this.#resume(id);
    return null;
  }

  // Takes note of how a vCPU stopped; null where it runs.
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

  // The pause.
  async #endEpoch(endedBy: EpochEnd, isLast: boolean, isKept: boolean): Promise<void> {
    const { vm, vcpus, replica } = this.#parts;
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
    replica.copy(pages);
    lap();
    if (isKept) this.#takeState();
    else if (isLast) replica.copySlot0();
    lap();
    if (isLast) {
      this.#hasCopiedAll = true;
      this.elapsedNs = nanoseconds(stoppedAt - this.#started);
    } else this.#resumeAll();
    lap();

    const [stopNs, waitNs, learnNs, rearmNs, copyNs, stateNs, resumeNs] = lapsOf(times);
    const { maxDirty } = this.#parts.options;
    const epoch: Epoch = {
      epoch: ++this.#epoch,
      endedBy,
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
      bytes: pages.length * PAGE_SIZE,
      writeNs: null,
      fileBytes: null,
    };
    const kept = isKept ? pages.slice() : null;
    this.#pages.clear();
    this.#fullExits = 0;
    this.#began = vcpus.now();
    if (kept === null) return this.#tell(epoch);
    this.#beginWriting(epoch, kept);
    // On a kernel in memory no time passes while a file is written, so that a run is the same every time.
    if (vm.kernel.backend === "model") await this.#written();
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

  #beginWriting(epoch: Epoch, pages: Uint32Array<ArrayBuffer>): void {
    const started = performance.now();
    const write = async () => {
      let written = epoch;
      try {
        const fileBytes = await this.#parts.options.writer!.write(this.#content(pages));
        written = { ...epoch, fileBytes, writeNs: nanosecondsSince(started) };
      } catch (error) {
        this.#writeError = error;
      }
      this.#tell(written);
    };
    // Never rejected, also where who watches throws: it is looked at later.
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

/** The registers of all vCPUs, and where each is in its stores, as they were in one pause. */
class VcpuSnapshots {
  readonly #completed = new Set<number>();
  /** The registers, by vCPU: {@linkcode VCPU_STATE_BYTES} each. */
  readonly registers: Uint8Array<ArrayBuffer>;
  /** Where they are in their stores. */
  readonly places: VcpuPlace[] = [];

  /**
   * Makes room.
   *
   * @param vcpus How many vCPUs there are.
   */
  constructor(vcpus: number) {
    this.registers = new Uint8Array(vcpus * VCPU_STATE_BYTES);
  }

  /**
   * Saves all vCPUs, which stand still.
   *
   * @param vcpus What runs its vCPUs.
   * @throws {KernelError} Where the kernel fails a call.
   */
  take(vm: GuestVm, vcpus: LiveVcpus): void {
    vm.vcpus.forEach(({ vcpu }, id) => {
      // One that is done stopped with KVM_EXIT_IO and is not run again. For the others the KVM_RUN that was
      // interrupted, or found the ring full, has completed what came before it.
      if (vcpus.stopOf(id)?.kind === "done" && !this.#completed.has(id)) {
        completeExit(vcpu);
        this.#completed.add(id);
      }
      const at = id * VCPU_STATE_BYTES;
      saveVcpuState(vcpu, this.registers.subarray(at, at + VCPU_STATE_BYTES));
      this.places[id] = vcpus.placeOf(id);
    });
  }
}
