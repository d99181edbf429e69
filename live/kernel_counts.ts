import type { Insight } from "../ffi/insight.ts";
import { THIS_THREAD, Tracepoint } from "../kvm/tracepoint.ts";
import type { Vcpu } from "../kvm/vcpu.ts";
import type { Vm } from "../kvm/vm.ts";
import { type RingIndices, RingWalks } from "../lab/ring_walks.ts";

/** A vCPU whose pushes are counted. */
export interface WatchedVcpu {
  /** The vCPU. */
  readonly vcpu: Vcpu;
  /** The thread that makes its `KVM_RUN` calls, as gettid(2) names it there. The model does not look at it. */
  readonly tid: number;
}

/** What the kernel counted for a vCPU. */
export interface CountedVcpu {
  /** The vCPU's id. */
  readonly vcpu: number;
  /** Its ring's indices when counting began: equal, since the ring was empty. */
  readonly before: RingIndices;
  /** Its ring's indices now. */
  readonly after: RingIndices;
  /** `kvm_dirty_ring_push` events; `null` for the model, whose indices alone tell. */
  readonly pushes: number | null;
  /** `kvm_dirty_ring_exit` events; `null` for the model. */
  readonly ringFullExits: number | null;
}

/** What the kernel counted. */
export interface Counted {
  /** The vCPUs, in their order. */
  readonly vcpus: readonly CountedVcpu[];
  /** `kvm_dirty_ring_reset` events; `null` for the model. */
  readonly walks: number | null;
  /** Harvested entries that no reset had taken back before the indices were asked for. */
  readonly notReset: number;
}

/** Counts what the kernel does with the rings of a VM, from when it is made. */
export interface KernelCounts extends Disposable {
  /** Who tells. */
  readonly source: "tracepoints" | "model";
  /**
   * What was counted until now. The vCPUs stand still.
   *
   * @returns The counts.
   * @throws {KernelError} Where the kernel fails a call.
   */
  read(): Counted;
}

/**
 * Counts by the tracepoints of a real kernel: pushes and full rings on the threads that run the vCPUs, walks
 * on the calling one. The indices come from resets that find nothing to take.
 *
 * @param vm The VM; all its resets are made on the calling thread.
 * @param vcpus All its vCPUs, standing still, their rings empty.
 * @returns The counts, which begin at 0.
 * @throws {HostError} Where tracefs, a tracepoint or the permission is missing.
 * @throws {KernelError} Where the kernel refuses for another reason.
 */
export function tracedCounts(vm: Vm, vcpus: readonly WatchedVcpu[]): KernelCounts {
  const { kernel } = vm;
  using resources = new DisposableStack();
  const walks = resources.use(new RingWalks(kernel));
  const all = vcpus.map(({ vcpu }) => vcpu);
  const before = walks.ask(vm, all).indices;
  before.forEach(checkEmpty);

  const counters = vcpus.map(({ vcpu: { id }, tid }) => {
    // A thread that runs several vCPUs is told apart by what the events say, at a little cost.
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
 * Counts by the indices that the model tells.
 *
 * @param insight What it tells.
 * @param vcpus All vCPUs, their rings empty.
 * @returns The counts, which begin at 0.
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
