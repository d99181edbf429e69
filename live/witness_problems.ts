import type { Counted, CountedVcpu } from "./kernel_counts.ts";

/** What the harvester counted, from an empty ring on until all vCPUs stood still and all was reset. */
export interface HarvestCounts {
  /** Entries harvested, for each vCPU. */
  readonly entries: readonly number[];
  /**
   * `KVM_RUN` calls that answered 0 with `KVM_EXIT_DIRTY_RING_FULL`, for each vCPU: each of them, also one that
   * was made again before a reset, and one that a signal was pending for. `immediate_exit` is looked at before
   * the ring: that call answers EINTR and is none of them, whatever `exit_reason` still says.
   */
  readonly fullExits: readonly number[];
  /** `KVM_RESET_DIRTY_RINGS` calls. */
  readonly resets: number;
}

/**
 * The differences between what the kernel counted and what a harvester did.
 *
 * @param counted The kernel's counts.
 * @param harvest The harvester's.
 * @returns Each difference, in words; none where they agree.
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
 * Entries that the kernel pushed for a vCPU.
 *
 * @param counted What it counted. The model's index alone tells modulo 2^32: as near to the harvest as can be.
 * @param entries Entries harvested.
 * @returns Entries.
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

// How far two numbers are apart as free-running u32 indices see it, the nearer way round.
function apart(one: number, other: number): number {
  return (one - other) | 0;
}
