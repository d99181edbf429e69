import type { ResetAnswer, Vm } from "../kvm/vm.ts";

/** A reset that takes back too little is repeated at most this often, so that nothing waits for ever. */
const MOST_RESETS = 8;

/** What resets of harvested entries came to. */
export interface HarvestedReset {
  /** What did not hold, in words; `null` where the first reset returned what was harvested. */
  readonly problem: string | null;
  /** Whether it took fewer entries back: a signal ended it early, and the batch being gathered is lost. */
  readonly isShort: boolean;
}

/**
 * Resets all rings, and holds what that returns against what was harvested. Where it is less, as it should never be
 * with signals blocked, the rest of the entries is still there, and is taken back by further resets.
 *
 * @param vm The VM.
 * @param harvested Entries harvested since the last reset.
 * @param note Gets the answer of each reset.
 * @returns What it came to.
 * @throws {KernelError} Where the kernel fails the call.
 */
export function resetHarvested(
  vm: Vm,
  harvested: number,
  note: (answer: ResetAnswer) => void = () => {},
): HarvestedReset {
  const first = vm.resetDirtyRings();
  note(first);
  if (first.count === harvested) return { problem: null, isShort: false };
  let left = harvested - first.count;
  for (let n = 1; left > 0 && n < MOST_RESETS; n++) {
    const answer = vm.resetDirtyRings();
    note(answer);
    left -= answer.count;
  }
  return {
    problem:
      `KVM_RESET_DIRTY_RINGS returned ${first.count}, but ${harvested} entries were harvested`,
    isShort: first.count < harvested,
  };
}
