// vCPUs of a live run on a kernel in memory.
import { ERRNO } from "../ffi/errors.ts";
import type { Insight } from "../ffi/insight.ts";
import { KVM_EXIT_DIRTY_RING_FULL } from "../ffi/kvm_constants.ts";
import { nanoseconds } from "../ffi/linux.ts";
import type { Vcpu } from "../kvm/vcpu.ts";
import {
  type FullStops,
  type LiveVcpus,
  PassWalk,
  type Quest,
  type VcpuPlace,
  type VcpuStop,
} from "./live_vcpus.ts";

/** A vCPU to run in slices. */
export interface SlicedVcpu {
  /** The vCPU. */
  readonly vcpu: Vcpu;
  /** What it is to do. */
  readonly quest: Quest;
  /** The exit reason with which the guest's program ends. */
  readonly end: number;
  /** Sets its registers for a pass: the stores to make, and the first value. */
  begin(stores: number, value: number): void;
  /** The stores left in the current pass, read from its registers. */
  remaining(): number;
}

/** Instructions of a slice. */
const SLICE = 1000;
/**
 * The rate of the model's clock: ten million instructions a second, about the speed of its
 * interpreter.
 */
const INSTRUCTION_MS = 1e-4;

interface Runner extends SlicedVcpu {
  readonly walk: PassWalk;
  runs: boolean;
  stop: VcpuStop;
  /** When it stopped for a full ring, by the model's clock; `null` if it did not. */
  fullSince: number | null;
  fullStops: FullStops;
}

/**
 * vCPUs on a kernel in memory, which take turns in slices of a thousand instructions. Time is the
 * model's own: a turn in which each vCPU runs one slice takes as long as one slice, as if they ran
 * in parallel. So a run is the same every time.
 */
export class VcpuSlices implements LiveVcpus {
  readonly #insight: Insight;
  readonly #runners: readonly Runner[];
  #clock = 0;

  /** Prepares the vCPUs; all stand still. */
  constructor(insight: Insight, vcpus: readonly SlicedVcpu[]) {
    this.#insight = insight;
    this.#runners = vcpus.map((vcpu) => ({
      ...vcpu,
      walk: new PassWalk(vcpu.quest),
      runs: false,
      fullSince: null,
      stop: { kind: "asked" },
      fullStops: { totalNs: 0, resumed: 0, lastResumedNs: 0 },
    }));
    for (const runner of this.#runners) if (runner.quest.place === null) beginPass(runner);
  }

  /** All run on the calling thread. */
  get tids(): readonly number[] {
    return this.#runners.map(() => 0);
  }

  /**
   * 200,000 instructions. If each store is the first to its page, the host has to allocate about
   * ten thousand pages meanwhile.
   */
  readonly turnMs = 0.2;

  /** The time in milliseconds, by the model's clock. */
  now(): number {
    return this.#clock;
  }

  /** Resumes a vCPU that stands still. */
  resume(id: number): void {
    const runner = this.#runners[id]!;
    if (runner.stop.kind === "done") return;
    if (runner.fullSince !== null) {
      const ns = nanoseconds(this.#clock - runner.fullSince);
      const { totalNs, resumed } = runner.fullStops;
      runner.fullStops = { totalNs: totalNs + ns, resumed: resumed + 1, lastResumedNs: ns };
      runner.fullSince = null;
    }
    runner.runs = true;
  }

  /**
   * Stops vCPUs.
   *
   * @param ids The vCPUs; all unless given.
   */
  stop(ids: readonly number[] = this.#runners.keys().toArray()): void {
    for (const id of ids) {
      const runner = this.#runners[id]!;
      if (runner.runs) this.#stand(runner, { kind: "asked" });
    }
  }

  /**
   * Lets vCPUs run in turns until one has stopped by itself, or the time has passed.
   *
   * @param ms The longest, in milliseconds of the model's clock.
   */
  wait(ms: number): void {
    const end = this.#clock + ms;
    let hasStopped = false;
    while (!hasStopped && this.#clock < end) {
      for (const runner of this.#runners) {
        if (runner.runs && this.#runSlice(runner)) hasStopped = true;
      }
      this.#clock += SLICE * INSTRUCTION_MS;
    }
  }

  /** Calls `work`; nobody else harvests or resets here. */
  exclusively<Answer>(work: () => Answer): Answer {
    return work();
  }

  // Returns whether the vCPU has stopped.
  #runSlice(runner: Runner): boolean {
    const answer = this.#insight.runSlice(runner.vcpu.fd, SLICE);
    if (answer === -ERRNO.EAGAIN) return false;
    const reason = runner.vcpu.exitReason;
    if (answer !== 0) return this.#stand(runner, { kind: "errno", errno: -answer });
    if (reason === KVM_EXIT_DIRTY_RING_FULL) return this.#stand(runner, { kind: "full" });
    if (reason !== runner.end) return this.#stand(runner, { kind: "exit", reason });
    beginPass(runner);
    if (runner.stop.kind === "done") runner.runs = false;
    return !runner.runs;
  }

  #stand(runner: Runner, stop: VcpuStop): true {
    runner.runs = false;
    runner.stop = stop;
    if (stop.kind === "full") runner.fullSince = this.#clock;
    return true;
  }

  /**
   * Why a vCPU stopped.
   *
   * @returns Why it stands still; `null` while it runs.
   */
  stopOf(id: number): VcpuStop | null {
    const { runs, stop } = this.#runners[id]!;
    return runs ? null : stop;
  }

  /** How far a vCPU that stands still is in its stores. */
  placeOf(id: number): VcpuPlace {
    const { walk, stop, remaining } = this.#runners[id]!;
    const passMade = stop.kind === "done" ? walk.stores : walk.stores - remaining();
    const { finished, value, stores } = walk;
    return { stores: finished + passMade, value, passStores: stores, passMade };
  }

  /**
   * How long a vCPU stood still at full rings, by the model's clock.
   *
   * @returns The completed stops. `resume` ended all of them, since no vCPU empties its own ring
   * here.
   */
  fullStops(id: number): FullStops {
    return this.#runners[id]!.fullStops;
  }

  /** Does nothing: there are no threads to end. */
  async [Symbol.asyncDispose](): Promise<void> {}
}

function beginPass(runner: Runner): void {
  if (runner.walk.next()) runner.begin(runner.walk.stores, runner.walk.value);
  else runner.stop = { kind: "done" };
}
