import type { Kernel } from "../ffi/kernel.ts";
import { KVM_RESET_DIRTY_RINGS } from "../ffi/kvm_ioctls.ts";
import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";
import { nanoseconds } from "../ffi/nanoseconds.ts";
import { Harvester, warmHarvest } from "../ring/harvest.ts";
import { HandOver } from "./hand_over.ts";
import { RESET_LOCK, type RingOrder } from "./vcpu_control.ts";

/**
 * Empties a full ring on its vCPU's own thread, which wakes nobody and waits for nobody: harvests it, resets, and
 * hands the entries over to the harvester, which reads their pages later. All signals but those of faults are kept out
 * of this thread, and so out of the reset.
 *
 * It stands apart from the cycle that all else takes (`drive/harvest_cycle.ts`), since it runs on another thread, where
 * nothing of the VM is but a file descriptor and a ring's memory, and takes half a cycle: the counts are compared, and
 * the pages read, by the harvester that it hands them to.
 */
export class RingEmptier {
  readonly #kernel: Kernel;
  readonly #vmFd: number;
  readonly #lock: Int32Array<SharedArrayBuffer>;
  readonly #handOver: HandOver;
  readonly #harvester: Harvester;
  /** How long the vCPU stood still for the ring that was emptied last, nanoseconds. */
  stopNs = 0;

  /**
   * Makes ready, and has the harvest compiled.
   *
   * @param kernel The kernel that answers on this thread.
   * @param order The ring.
   * @param lock The doorbell, with the lock of resets.
   */
  constructor(kernel: Kernel, order: RingOrder, lock: Int32Array<SharedArrayBuffer>) {
    const { place: { address, bytes }, vmFd, handOver } = order;
    this.#kernel = kernel;
    this.#vmFd = vmFd;
    this.#lock = lock;
    this.#handOver = new HandOver(bytes / kvm_dirty_gfn.size, handOver);
    const { buffer, byteOffset } = kernel.view(address, bytes);
    this.#harvester = new Harvester(new Uint32Array(buffer, byteOffset, bytes / 4));
    warmHarvest();
  }

  /**
   * Empties the ring, if it can be done at once: somebody else may be resetting, there may be no room to hand entries
   * over, and a ring that has none is the harvester's affair.
   *
   * @param since When the vCPU stopped.
   * @returns Whether the vCPU can run on.
   */
  empty(since: number): boolean {
    if (!this.#handOver.hasRoom) return false;
    if (Atomics.compareExchange(this.#lock, RESET_LOCK, 0, 1) !== 0) return false;
    try {
      this.#harvester.seek(this.#handOver.fetchIndex);
      const entries = this.#harvester.take();
      if (entries.length === 0) return false;
      const harvested = performance.now();
      const reset = this.#kernel.ioctl(this.#vmFd, KVM_RESET_DIRTY_RINGS, 0);
      const done = performance.now();
      this.#handOver.fetchIndex = this.#harvester.fetchIndex;
      const harvestNs = nanoseconds(harvested - since);
      const resetNs = nanoseconds(done - harvested);
      this.stopNs = this.#handOver.put(entries, { reset, harvestNs, resetNs }, since);
      return reset === entries.length;
    } finally {
      Atomics.store(this.#lock, RESET_LOCK, 0);
    }
  }
}
