import { ERRNO } from "../ffi/errno.ts";
import { exitName } from "../ffi/kvm_exits.ts";
import { runBeside } from "../lab/run_beside.ts";
import { expect, expectThat } from "./expect.ts";
import type { Machine } from "./machine.ts";

/** What came of harvesting beside a running vCPU. */
export interface HarvestedBeside {
  /** How often each page of slot 1 was harvested. */
  readonly times: ReadonlyMap<number, number>;
  /** Entries harvested. */
  readonly harvested: number;
  /** What the resets returned, summed. */
  readonly reset: number;
  /** Harvests with entries that met the vCPU running: in the same run a later one found more. */
  readonly beside: number;
  /** Times that the ring was full. */
  readonly full: number;
}

/**
 * A cycle of the raw machine, whose steps and counts the checks look at themselves. Lets the machine's first vCPU store to pages while its ring is harvested and reset, until all its
 * stores are made and all its entries are harvested.
 *
 * @param machine The machine.
 * @param gfns The pages' guest frames.
 * @returns What was harvested.
 * @throws {CheckFailure} Where the vCPU stops otherwise than by a full ring or the guest's end.
 */
export async function harvestBeside(
  machine: Machine,
  gfns: readonly number[],
): Promise<HarvestedBeside> {
  const times = new Map<number, number>();
  let [harvested, reset, beside, full] = [0, 0, 0, 0];
  const take = (): number => {
    // The vCPU may push meanwhile: what is marked is what was looked at, and no more.
    const offsets = machine.dirty(0);
    for (const offset of offsets) times.set(offset, (times.get(offset) ?? 0) + 1);
    harvested += machine.harvest(0, offsets.length);
    reset += machine.reset();
    return offsets.length;
  };
  const vcpu = machine.vcpus[0]!;
  machine.begin(0, gfns);
  for (;;) {
    let found = 0;
    const before = harvested;
    const answer = await runBeside(vcpu, () => {
      if (take() > 0) found++;
    });
    beside += Math.max(found - 1, 0);
    if (answer === -ERRNO.EINTR) continue;
    expect("KVM_RUN", answer, 0);
    take();
    const exit = exitName(vcpu.exitReason);
    if (exit === machine.guest.exit) return { times, harvested, reset, beside, full };
    expect("exit before the stores are made", exit, "KVM_EXIT_DIRTY_RING_FULL");
    // Every run begins with an empty ring.
    expectThat("a full ring", harvested > before, "entries to harvest", "none");
    full++;
  }
}
