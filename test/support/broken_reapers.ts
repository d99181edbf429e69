// Harvesters that are broken on purpose: memory has to find each of them out.
import { KVM_RESET_DIRTY_RINGS } from "../../ffi/kvm_ioctls.ts";
import type { Lab } from "../../lab/lab.ts";
import { Reaper } from "../../lab/reaper.ts";
import type { Witness } from "../../ring/witness.ts";

const PLAIN = { sort: false };

/** Reads pages before it resets them: a store between the two goes unseen. */
export class ReadsBeforeReset extends Reaper {
  readonly #between: () => void;

  constructor(lab: Lab, witness: Witness, between: () => void = () => {}) {
    super(lab, witness, PLAIN);
    this.#between = between;
  }

  override reap(ids: readonly number[]): readonly number[] {
    const harvested = this.harvest(ids);
    this.witness.beginHarvest();
    super.inspect();
    this.#between();
    this.reset(harvested.reduce((sum, entries) => sum + entries, 0));
    return harvested;
  }

  override inspect(): void {}
}

/** Marks all entries and looks at all but the last of each ring. */
export class SkipsAnEntry extends Reaper {
  constructor(lab: Lab, witness: Witness) {
    super(lab, witness, PLAIN);
  }

  override inspect(): void {
    for (const { entries } of this.fresh) if (entries.length > 0) entries.length--;
    super.inspect();
  }
}

/** Lets a signal end a reset, and does not look at what it returned. */
export class IgnoresShortResets extends Reaper {
  readonly #alarmUs: number;
  shortest = Infinity;

  constructor(lab: Lab, witness: Witness, alarmUs: number) {
    super(lab, witness, PLAIN);
    this.#alarmUs = alarmUs;
  }

  protected override reset(harvested: number): void {
    const { vm } = this.lab;
    vm.kernel.setitimer(this.#alarmUs);
    const count = vm.ioctl(KVM_RESET_DIRTY_RINGS);
    vm.kernel.setitimer(0);
    this.shortest = Math.min(this.shortest, count - harvested);
  }
}
