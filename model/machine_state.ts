import type { PushStep } from "../ffi/insight.ts";
import { AddressSpace } from "./address_space.ts";
import type { Rules } from "./rules.ts";
import { Signals } from "./signals.ts";

/** The state of a model of `/dev/kvm` that all its files share, whatever VMs there are in it. */
export class ModelState {
  /** The kernel's rules. */
  readonly rules: Rules;
  /** The program's address space. */
  readonly space: AddressSpace = new AddressSpace();
  /** The calling thread's signals. */
  readonly signals: Signals = new Signals();
  /** Whether the call comes from another process than the one that made the VM. */
  isElsewhere = false;
  /** Whether the next allocation of a ring fails. */
  failsAllocation = false;
  /** The most entries that a reset takes. */
  resetMaximum: number;
  /** Called after each step of a push. */
  pushWatcher: ((step: PushStep, vcpuFd: number, index: number) => void) | null = null;

  /**
   * Begins with nothing mapped.
   *
   * @param rules The kernel's rules.
   */
  constructor(rules: Rules) {
    this.rules = rules;
    this.resetMaximum = rules.resetMaximum;
  }
}
