// A second witness of a harvest: what the kernel itself counts, by its tracepoints.

import { HostError } from "../../ffi/errors.ts";
import type { Insight } from "../../ffi/insight.ts";
import { THIS_THREAD, Tracepoint } from "../../kvm/tracepoint.ts";
import type { Vcpu } from "../../kvm/vcpu.ts";
import type { Vm } from "../../kvm/vm.ts";
import { type RingIndices, RingWalks } from "../../machine/kernel_state.ts";

/** What the kernel and the harvester counted for one vCPU, and its ring's indices at the end. */
export interface WitnessedVcpu extends RingIndices {
  /** The vCPU. */
  readonly vcpu: number;
  /** Entries that the kernel pushed. */
  readonly pushes: number;
  /** Entries that were harvested. */
  readonly entries: number;
  /**
   * Guest entries that the kernel refused because of a full ring; `null` for the model, which does
   * not count them.
   */
  readonly ringFullExits: number | null;
  /** `KVM_EXIT_DIRTY_RING_FULL` exits that were seen. */
  readonly fullExits: number;
}

/** A comparison of a harvest with what the kernel itself counted. */
export interface WitnessResult {
  /** Where the counts come from: the tracepoints of a real kernel, or the model's own indices. */
  readonly source: "tracepoints" | "model";
  /** The vCPUs, by id. */
  readonly vcpus: readonly WitnessedVcpu[];
  /**
   * Rings that the kernel walked: each vCPU's ring in each reset, even if empty; `null` for the
   * model.
   */
  readonly walks: number | null;
  /** `KVM_RESET_DIRTY_RINGS` calls that were made. */
  readonly resets: number;
  /** Each difference, in words. */
  readonly problems: readonly string[];
  /** Whether there are no differences. */
  readonly ok: boolean;
}

/**
 * Compares a harvest with what the kernel counted meanwhile, independently of the rings' memory. On
 * a real kernel it counts the tracepoints `kvm_dirty_ring_push` and `kvm_dirty_ring_exit` on each
 * vCPU's thread and `kvm_dirty_ring_reset` on the calling thread. All counts are exact. It gets the
 * rings' indices at the beginning and at the end from a reset of its own. The model reports its
 * indices.
 *
 * Closing it takes a tenth of a second: for each tracepoint the kernel waits until no processor is
 * in it.
 *
 * @example
 * ```ts
 * import { THIS_THREAD } from "../../kvm/tracepoint.ts";
 * import { openKernel } from "../../host/backend.ts";
 * import { ringVm } from "../../machine/guest_vm.ts";
 * import { InlineDriver } from "../../drive/inline_driver.ts";
 * import { planLab } from "../../machine/plan.ts";
 * import { TraceWitness } from "./tracepoint_witness.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const kernel = await openKernel({ backend: "model", model: undefined }, null, () => {});
 * const pattern = { name: "sequential", parameter: 0 } as const;
 * const sizes = { vcpus: 1, memory: 2 ** 20, slots: 1, ringBytes: 2 ** 12, pages: 100, rounds: 1, seed: 1 };
 * using lab = ringVm(kernel, planLab({ guest: "long64", pattern, ...sizes }));
 * const { vcpu } = lab.vcpus[0]!;
 * using witness = TraceWitness.open(lab.vm, [{ vcpu, tid: THIS_THREAD }]);
 * lab.begin(0, 0, 100);
 * await new InlineDriver().run(vcpu);
 * const entries = [lab.tracker.learn([0])];
 * lab.tracker.rearm();
 * const { ok, vcpus } = witness.result({ entries, fullExits: [0], resets: 1 });
 * assertEquals([ok, vcpus[0]!.pushes, vcpus[0]!.resetIndex], [true, 100, 100]);
 * ```
 */
export class TraceWitness implements Disposable {
  readonly #counts: KernelCounts;

  private constructor(counts: KernelCounts) {
    this.#counts = counts;
  }

  /**
   * Starts counting.
   *
   * @param vm The VM. All its resets must be made on the calling thread.
   * @param vcpus All its vCPUs, by id. They must have stopped, with empty rings. Each stays on the
   * thread that is given for it; several may share a thread.
   * @throws {HostError} If a real kernel's tracepoints cannot be used; it says what is missing, and
   * what to do.
   * @throws {KernelError} If the kernel refuses for another reason; ESRCH if a thread does not
   * exist.
   */
  static open(vm: Vm, vcpus: readonly WatchedVcpu[]): TraceWitness {
    const { insight } = vm.kernel;
    if (insight !== null) return new TraceWitness(modelCounts(insight, vcpus));
    try {
      return new TraceWitness(tracedCounts(vm, vcpus));
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      const { what, advice } = error;
      throw new HostError((name) => `${name("witness")}: ${what}`, advice);
    }
  }

  /**
   * Compares a harvest with the counts. All vCPUs must have stopped, and the last harvest must be
   * complete and reset. The vCPUs' threads may have ended.
   *
   * @param harvest What the harvester counted since the witness was opened.
   * @returns Both sides, and their differences.
   * @throws {KernelError} If the kernel fails a call.
   */
  result(harvest: HarvestCounts): WitnessResult {
    const counted = this.#counts.read();
    const problems = witnessProblems(counted, harvest);
    return {
      source: this.#counts.source,
      vcpus: counted.vcpus.map((one, n) => ({
        vcpu: one.vcpu,
        pushes: pushesOf(one, harvest.entries[n]!),
        entries: harvest.entries[n]!,
        ringFullExits: one.ringFullExits,
        fullExits: harvest.fullExits[n]!,
        ...one.after,
      })),
      walks: counted.walks,
      resets: harvest.resets,
      problems,
      ok: problems.length === 0,
    };
  }

  /** Stops counting. */
  [Symbol.dispose](): void {
    this.#counts[Symbol.dispose]();
  }
}

/**
 * What the harvester counted, from empty rings until all vCPUs had stopped and everything was
 * reset.
 */
export interface HarvestCounts {
  /** Entries harvested, for each vCPU. */
  readonly entries: readonly number[];
  /**
   * For each vCPU, the `KVM_RUN` calls that returned 0 with `KVM_EXIT_DIRTY_RING_FULL`. Each call
   * counts, even if it was repeated before a reset or a signal was pending for it. A call with
   * `immediate_exit` does not count: the kernel checks that before the ring and returns EINTR,
   * whatever `exit_reason` still says.
   */
  readonly fullExits: readonly number[];
  /** `KVM_RESET_DIRTY_RINGS` calls. */
  readonly resets: number;
}

/**
 * Lists the differences between what the kernel and a harvester counted.
 *
 * @param counted The kernel's counts.
 * @param harvest The harvester's counts.
 * @returns Each difference, in words; none if they agree.
 */
export function witnessProblems(counted: Counted, harvest: HarvestCounts): string[] {
  const { vcpus, walks, notReset } = counted;
  const problems: string[] = [];
  for (const [n, vcpu] of vcpus.entries()) {
    problems.push(...ofVcpu(vcpu, harvest.entries[n]!, harvest.fullExits[n]!));
  }
  const due = harvest.resets * vcpus.length;
  if (walks !== null && walks !== due) {
    problems.push(
      `${harvest.resets} resets walk ${due} rings of ${vcpus.length} vCPUs, but the kernel walked ` +
        `${walks} (kvm_dirty_ring_reset)`,
    );
  }
  if (notReset > 0) problems.push(`${notReset} entries were harvested, but not reset in the end`);
  return problems;
}

/**
 * The entries that the kernel pushed for a vCPU.
 *
 * @param counted The kernel's counts. If only the model's index is known, the number is known
 * modulo 2^32: the one nearest to the harvest is taken.
 * @param entries Entries that were harvested.
 */
export function pushesOf({ before, after, pushes }: CountedVcpu, entries: number): number {
  return pushes ?? entries + apart(after.dirtyIndex - before.dirtyIndex, entries);
}

function* ofVcpu(counted: CountedVcpu, entries: number, fullExits: number): Generator<string> {
  const { vcpu, before, after, ringFullExits } = counted;
  const pushes = pushesOf(counted, entries);
  const lost = pushes - entries;
  if (lost !== 0) {
    const held = (after.dirtyIndex - after.resetIndex) >>> 0;
    yield `vCPU ${vcpu}: the kernel pushed ${pushes} entries, ${entries} were harvested: ` +
      (lost < 0 ? `${-lost} never pushed` : `${lost} missing`) +
      (held > 0 ? `, ${held} still in the ring` : "");
  }
  const moved = (after.dirtyIndex - before.dirtyIndex) >>> 0;
  if (apart(moved, pushes) !== 0) {
    yield `vCPU ${vcpu}: dirty_index moved by ${moved}, but ${pushes} pushes were traced`;
  }
  const taken = (after.resetIndex - before.resetIndex) >>> 0;
  if (apart(taken, entries) !== 0) {
    yield `vCPU ${vcpu}: reset_index moved by ${taken}, but ${entries} entries were harvested`;
  }
  if (ringFullExits !== null && ringFullExits !== fullExits) {
    yield `vCPU ${vcpu}: the kernel refused ${ringFullExits} guest entries with a full ring ` +
      `(kvm_dirty_ring_exit), ${fullExits} such exits were seen`;
  }
}

// The signed distance of two free-running u32 indices, the shorter way round.
function apart(one: number, other: number): number {
  return (one - other) | 0;
}

/** A vCPU whose pushes are counted. */
export interface WatchedVcpu {
  /** The vCPU. */
  readonly vcpu: Vcpu;
  /** The id of the thread that makes its `KVM_RUN` calls (gettid(2)). The model ignores it. */
  readonly tid: number;
}

/** What the kernel counted for a vCPU. */
export interface CountedVcpu {
  /** The vCPU's id. */
  readonly vcpu: number;
  /** Its ring's indices when counting began. They are equal, because the ring was empty. */
  readonly before: RingIndices;
  /** Its ring's indices now. */
  readonly after: RingIndices;
  /** `kvm_dirty_ring_push` events; `null` for the model, which has only indices. */
  readonly pushes: number | null;
  /** `kvm_dirty_ring_exit` events; `null` for the model. */
  readonly ringFullExits: number | null;
}

/** What the kernel counted. */
export interface Counted {
  /** The vCPUs, by id. */
  readonly vcpus: readonly CountedVcpu[];
  /** `kvm_dirty_ring_reset` events; `null` for the model. */
  readonly walks: number | null;
  /** Harvested entries that were not reset before the indices were read. */
  readonly notReset: number;
}

/** Counts of what the kernel does with a VM's rings. Counting starts when this object is made. */
export interface KernelCounts extends Disposable {
  /** Where the counts come from. */
  readonly source: "tracepoints" | "model";
  /**
   * Reads the counts so far. The vCPUs must have stopped.
   *
   * @throws {KernelError} If the kernel fails a call.
   */
  read(): Counted;
}

/**
 * Counts by the tracepoints of a real kernel: pushes and full rings on the vCPUs' threads, ring
 * walks on the calling thread. The indices come from resets that find no harvested entry.
 *
 * @param vm The VM. All its resets must be made on the calling thread.
 * @param vcpus All its vCPUs, stopped, with empty rings.
 * @returns The counts, which start at 0.
 * @throws {HostError} If tracefs, a tracepoint or the permission is missing.
 * @throws {KernelError} If the kernel refuses for another reason.
 */
export function tracedCounts(vm: Vm, vcpus: readonly WatchedVcpu[]): KernelCounts {
  const { kernel } = vm;
  using resources = new DisposableStack();
  const walks = resources.use(new RingWalks(kernel));
  const all = vcpus.map(({ vcpu }) => vcpu);
  const before = walks.ask(vm, all).indices;
  before.forEach(checkEmpty);

  const counters = vcpus.map(({ vcpu: { id }, tid }) => {
    // If a thread runs several vCPUs, a filter on the events' fields tells them apart, at a little
    // cost.
    const isShared = vcpus.filter((other) => other.tid === tid).length > 1;
    const open = (name: string, field: string) =>
      resources.use(
        Tracepoint.open(kernel, name, tid, isShared ? { filter: `${field} == ${id}` } : {}),
      );
    return {
      id,
      pushes: open("kvm_dirty_ring_push", "index"),
      exits: open("kvm_dirty_ring_exit", "vcpu_id"),
    };
  });
  const walked = resources.use(Tracepoint.open(kernel, "kvm_dirty_ring_reset", THIS_THREAD));
  let ownWalks = 0;
  const owned = resources.move();
  return {
    source: "tracepoints",
    read() {
      const told = walked.count - ownWalks;
      const { answer: notReset, indices } = walks.ask(vm, all);
      ownWalks += indices.length;
      return {
        vcpus: counters.map(({ id, pushes, exits }, n) => ({
          vcpu: id,
          before: before[n]!,
          after: indices[n]!,
          pushes: pushes.count,
          ringFullExits: exits.count,
        })),
        walks: told,
        notReset,
      };
    },
    [Symbol.dispose]: () => owned.dispose(),
  };
}

/**
 * Counts by the indices that the model reports.
 *
 * @param vcpus All vCPUs, with empty rings.
 * @returns The counts, which start at 0.
 */
export function modelCounts(insight: Insight, vcpus: readonly WatchedVcpu[]): KernelCounts {
  const indicesOf = ({ vcpu }: WatchedVcpu): RingIndices => {
    const ring = insight.ring(vcpu.fd);
    if (ring === null) throw new TypeError(`vCPU ${vcpu.id} has no ring`);
    return { dirtyIndex: ring.dirtyIndex, resetIndex: ring.resetIndex };
  };
  const before = vcpus.map(indicesOf);
  before.forEach(checkEmpty);
  return {
    source: "model",
    read: () => ({
      vcpus: vcpus.map((watched, n) => ({
        vcpu: watched.vcpu.id,
        before: before[n]!,
        after: indicesOf(watched),
        pushes: null,
        ringFullExits: null,
      })),
      walks: null,
      notReset: 0,
    }),
    [Symbol.dispose]() {},
  };
}

function checkEmpty({ dirtyIndex, resetIndex }: RingIndices, n: number): void {
  if (dirtyIndex === resetIndex) return;
  const held = (dirtyIndex - resetIndex) >>> 0;
  throw new TypeError(`Cannot begin to count while ring ${n} holds ${held} entries`);
}
