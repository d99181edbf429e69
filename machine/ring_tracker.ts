// Dirty tracking with the dirty ring.
import { KernelError } from "../ffi/errors.ts";
import { KVM_CAP_DIRTY_LOG_RING } from "../ffi/kvm_constants.ts";
import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";
import type { DirtyRing } from "../kvm/mapping.ts";
import { largestRing, smallestRing, type System } from "../kvm/system.ts";
import type { Vcpu } from "../kvm/vcpu.ts";
import type { ResetAnswer, Vm } from "../kvm/vm.ts";
import type { DirtySet } from "../memory/page_sets.ts";
import { dirtyEntries, type Entries, type LoggedPages } from "../ring/entry.ts";
import { Harvester, warmHarvest } from "../ring/harvest.ts";
import type { DirtyTracker, LeftBehind, Take } from "./dirty_tracker.ts";

/** A vCPU's ring. */
export interface TrackedRing {
  /** The ring. */
  readonly ring: DirtyRing;
  /** Harvests the ring. */
  readonly harvester: Harvester;
}

/** What a harvest took from a ring. */
export interface HarvestedRing {
  /** The vCPU. */
  readonly id: number;
  /** The entries, valid until the ring's next harvest. */
  readonly entries: Entries;
}

// One object per ring, reused by each harvest, which runs inside measured loops.
interface RingState extends TrackedRing, HarvestedRing {
  entries: Entries;
  learned: number;
}

/**
 * Leaves entries in the order in which they were pushed.
 *
 * @returns The entries taken.
 */
export function takePlain(harvester: Harvester): Entries {
  return harvester.take();
}

/**
 * Sorts entries in the ring before it marks them as harvested.
 *
 * @returns The entries taken.
 */
export function takeSorted(harvester: Harvester): Entries {
  return harvester.takeSorted();
}

/**
 * Tracks dirty pages in the vCPUs' rings: `learn` harvests them, and `rearm` calls
 * `KVM_RESET_DIRTY_RINGS`. A full ring stops its vCPU, and rings can be harvested while vCPUs run.
 *
 * @example
 * ```ts
 * import { openKernel } from "../host/backend.ts";
 * import { ringVm } from "./guest_vm.ts";
 * import { InlineDriver } from "../drive/inline_driver.ts";
 * import { planLab } from "./plan.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const kernel = await openKernel({ backend: "model", model: undefined }, null, () => {});
 * const pattern = { name: "sequential", parameter: 0 } as const;
 * const sizes = { vcpus: 1, memory: 2 ** 20, slots: 1, ringBytes: 2 ** 12, pages: 9, rounds: 1, seed: 1 };
 * using vm = ringVm(kernel, planLab({ guest: "long64", pattern, ...sizes }));
 * vm.begin(0, 0, 9);
 * await new InlineDriver().run(vm.vcpus[0]!.vcpu);
 * assertEquals([vm.tracker.learn([0]), vm.tracker.rearm().count, vm.tracker.learn([0])], [9, 9, 0]);
 * ```
 */
export class RingTracker implements DirtyTracker {
  /** Always `ring`. */
  readonly kind = "ring";
  readonly #ringBytes: number;
  readonly #rings: RingState[] = [];
  #fresh: HarvestedRing[] = [];
  #vm: Vm | null = null;

  /**
   * Creates a tracker for one VM.
   *
   * @param ringBytes The size of each ring in bytes, passed to the kernel unchecked.
   */
  constructor(ringBytes: number) {
    this.#ringBytes = ringBytes;
  }

  /** The rings, by vCPU. */
  get rings(): readonly TrackedRing[] {
    return this.#rings;
  }

  /**
   * What the last {@linkcode RingTracker.learn} took, in the order of its `ids`; empty after
   * {@linkcode RingTracker.drop}.
   */
  get fresh(): readonly HarvestedRing[] {
    return this.#fresh;
  }

  /**
   * Enables the ring.
   *
   * @param system `/dev/kvm`, which is asked for its limits if it refuses.
   * @param vm The VM, without vCPUs yet.
   * @throws {KernelError} If the kernel refuses the size.
   */
  enable(system: System, vm: Vm): void {
    enableRing(system, vm, this.#ringBytes);
    this.#vm = vm;
  }

  /**
   * Maps a vCPU's ring.
   *
   * @throws {KernelError} If the kernel refuses.
   */
  addVcpu(vcpu: Vcpu): DirtyRing {
    const ring = vcpu.mapDirtyRing(this.#ringBytes);
    const harvester = new Harvester(ring.words);
    const id = this.#rings.length;
    this.#rings.push({ ring, harvester, id, entries: harvester.taken, learned: 0 });
    return ring;
  }

  /** Does nothing: each ring is mapped with its vCPU. */
  begin(): void {}

  /** Has the harvest compiled, and faults in the pages of a real kernel's rings. */
  warm(): void {
    const isReal = this.#vm?.kernel.insight === null;
    warmHarvest(isReal ? this.#rings.map(({ ring }) => ring.words) : []);
  }

  /**
   * Harvests rings.
   *
   * @param ids The vCPUs whose rings are harvested.
   * @param take How each ring is harvested; in ring order unless given.
   * @returns The number of entries taken.
   */
  learn(ids: readonly number[], take: Take = takePlain): number {
    const rings = this.#rings;
    const fresh: HarvestedRing[] = []; // faster than emptying the old array
    this.#fresh = fresh;
    let found = 0;
    for (const id of ids) {
      const ring = rings[id]!;
      const entries = take(ring.harvester, id);
      ring.entries = entries;
      ring.learned += entries.length;
      found += entries.length;
      fresh.push(ring);
    }
    return found;
  }

  /** Forgets what was taken last, so that it is not read twice. */
  drop(): void {
    this.#fresh = [];
  }

  /**
   * Adds the pages that the entries of the last harvest name.
   *
   * @param logged Which page an entry names.
   * @param stray Called for each ring with entries that name no logged page: the vCPU, and their
   * number.
   */
  addTo(pages: DirtySet, logged: LoggedPages, stray: (id: number, count: number) => void): void {
    for (const { id, entries } of this.#fresh) {
      const strays = pages.addEntries(entries, logged);
      if (strays > 0) stray(id, strays);
    }
  }

  /**
   * Resets all rings.
   *
   * @returns The number of entries that the kernel reset, and how long that took.
   * @throws {KernelError} If the call fails.
   */
  rearm(): ResetAnswer {
    if (this.#vm === null) throw new TypeError("Cannot reset rings: they are enabled on no VM");
    return this.#vm.resetDirtyRings();
  }

  /** Entries harvested from a vCPU's ring since the beginning. */
  learnedOf(id: number): number {
    return this.#rings[id]!.learned;
  }

  /**
   * Entries that are left in rings that should be empty.
   *
   * @returns By vCPU.
   */
  left(): LeftBehind[] {
    return this.#rings.map(({ ring, harvester }) => {
      const dirty = dirtyEntries(ring.words).length;
      return { dirty, harvested: harvester.held - dirty };
    });
  }

  /** Does nothing: each ring is unmapped with its vCPU. */
  [Symbol.dispose](): void {}
}

/**
 * Enables the ring on a VM.
 *
 * @param system `/dev/kvm`, which is asked for its limits if it refuses.
 * @param vm The VM, without vCPUs yet.
 * @param ringBytes The ring's size in bytes, passed to the kernel unchecked.
 * @throws {KernelError} If the kernel refuses.
 */
export function enableRing(system: System, vm: Vm, ringBytes: number): void {
  const answer = vm.enableCap(KVM_CAP_DIRTY_LOG_RING, ringBytes);
  if (answer === 0) return;
  const largest = largestRing(system);
  const smallest = smallestRing(system, largest);
  const entries = (bytes: number) => bytes / kvm_dirty_gfn.size;
  throw new KernelError(`KVM_ENABLE_CAP(KVM_CAP_DIRTY_LOG_RING, ${ringBytes})`, answer, {
    asked: { ring: entries(ringBytes) },
    limit: { least: entries(smallest), most: entries(largest) },
    advice: (name) =>
      `${name("ring")} ${
        entries(ringBytes)
      } is ${ringBytes} bytes, and this kernel takes a power of two from ` +
      `${entries(smallest)} to ${entries(largest)} entries (${smallest} to ${largest} bytes)`,
  });
}
