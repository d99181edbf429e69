// Harvesters that are broken on purpose. The comparison with memory has to detect each of them.
import { Reaper } from "../../drive/reaper.ts";
import { KVM_RESET_DIRTY_RINGS } from "../../ffi/kvm_ioctls.ts";
import type { RingVm } from "../../machine/guest_vm.ts";
import type { HarvestedRing } from "../../machine/ring_tracker.ts";
import type { Witness } from "../../memory/witness.ts";
import { allocateEntries, type Entries, ENTRY_WORDS } from "../../ring/entry.ts";

const PLAIN = { sort: false };

/** Reads pages before it resets them, so that a store in between goes unnoticed. */
export class ReadsBeforeReset extends Reaper {
  readonly #between: (read: readonly Entries[]) => void;

  constructor(
    lab: RingVm,
    witness: Witness,
    between: (read: readonly Entries[]) => void = () => {},
  ) {
    super(lab, witness, PLAIN);
    this.#between = between;
  }

  override reap(ids: readonly number[]): readonly number[] {
    const harvested = this.harvest(ids);
    const read = this.fresh.map(({ entries }) => entries);
    this.witness.beginHarvest();
    super.inspect();
    this.#between(read);
    this.reset();
    return harvested;
  }

  override inspect(): void {}
}

// Drops the first entry, not the last: the last one of a full ring is pushed again when its store
// is repeated.
function dropFirst(entries: Entries): void {
  entries.words.copyWithin(0, ENTRY_WORDS, entries.length * ENTRY_WORDS);
  entries.length--;
}

/** Marks all entries as harvested, but ignores the first of each ring. */
export class SkipsAnEntry extends Reaper {
  constructor(lab: RingVm, witness: Witness) {
    super(lab, witness, PLAIN);
  }

  override inspect(): void {
    for (const { entries } of this.fresh) if (entries.length > 0) dropFirst(entries);
    super.inspect();
  }
}

/** Ignores an entry now and then. A later entry of the same page can hide that from the witness. */
export class SkipsNowAndThen extends Reaper {
  #seen = 0;
  skipped = 0;

  constructor(lab: RingVm, witness: Witness) {
    super(lab, witness, PLAIN);
  }

  override inspect(): void {
    for (const { entries } of this.fresh) {
      if (entries.length === 0 || this.#seen++ % 20 !== 3) continue;
      dropFirst(entries);
      this.skipped++;
    }
    super.inspect();
  }
}

const lengths = (sum: number, { entries }: HarvestedRing) => sum + entries.length;

/** Lets a signal end a reset, and ignores how many entries it reset. */
export class IgnoresShortResets extends Reaper {
  readonly #alarmUs: number;
  shortest = Infinity;

  constructor(lab: RingVm, witness: Witness, alarmUs: number) {
    super(lab, witness, PLAIN);
    this.#alarmUs = alarmUs;
  }

  protected override reset(): void {
    const { vm } = this.lab;
    vm.kernel.setitimer(this.#alarmUs);
    const count = vm.ioctl(KVM_RESET_DIRTY_RINGS);
    vm.kernel.setitimer(0);
    this.shortest = Math.min(this.shortest, count - this.fresh.reduce(lengths, 0));
  }
}

/** Finds nothing in vCPU 1's ring, as if it had overflowed. */
export class LosesARing extends Reaper {
  constructor(lab: RingVm, witness: Witness) {
    super(lab, witness, PLAIN);
  }

  protected override take(id: number): Entries {
    return id === 1 ? allocateEntries(0) : super.take(id);
  }
}
