import type { Kernel } from "../ffi/kernel.ts";
import { bitmapTracking } from "../lab/bitmap_log.ts";
import { BitmapTracker } from "./bitmap_tracker.ts";
import type { DirtyTracker, TrackingKind } from "./dirty_tracker.ts";
import { GuestVm } from "../lab/guest_vm.ts";
import { Lab } from "../lab/lab.ts";
import type { Plan } from "../lab/plan.ts";
import { RingTracker } from "./ring_tracker.ts";

/** A machine with what knows its dirty pages, whichever way that is. */
export class TrackedMachine implements Disposable {
  readonly #resources: DisposableStack;
  /** How its dirty pages are tracked. */
  readonly tracking: TrackingKind;
  /** The machine. */
  readonly vm: GuestVm;
  /** What knows its dirty pages. */
  readonly tracker: DirtyTracker;

  /**
   * Makes the machine.
   *
   * @param kernel The kernel that answers.
   * @param plan What to make.
   * @param tracking How its dirty pages are tracked.
   * @throws {HostError} Where the host has no usable KVM, no dirty ring, or no manual protection.
   * @throws {UsageError} Above a limit that the kernel reports.
   * @throws {KernelError} Where the kernel refuses a call.
   */
  constructor(kernel: Kernel, plan: Plan, tracking: TrackingKind) {
    using resources = new DisposableStack();
    this.tracking = tracking;
    if (tracking === "ring") {
      const lab = resources.use(new Lab(kernel, plan));
      this.vm = lab;
      this.tracker = resources.use(new RingTracker(lab));
    } else {
      this.vm = resources.use(new GuestVm(kernel, plan, bitmapTracking(tracking)));
      this.tracker = resources.use(new BitmapTracker(this.vm, tracking));
    }
    this.#resources = resources.move();
  }

  /** Gives everything back. */
  [Symbol.dispose](): void {
    this.#resources.dispose();
  }
}
