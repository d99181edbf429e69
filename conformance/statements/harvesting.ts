// Checks of harvesting: order, gaps, and a vCPU that runs meanwhile.
import { runBeside } from "../../drive/run_beside.ts";
import { ERRNO } from "../../ffi/errors.ts";
import { exitName } from "../../ffi/kvm_constants.ts";
import type { Check } from "../kit/check.ts";
import { API, CheckSkip, expect, expectThat, flagsOf, numbers, RING } from "../kit/expect.ts";
import type { Machine } from "../kit/machine.ts";
import { pushPages } from "../kit/push_pages.ts";

/** Stores of a vCPU whose ring is harvested meanwhile: several times what the ring holds. */
const STORES = 4000;
/**
 * Tries until a harvest falls into a run of the vCPU, which depends on how the host schedules
 * threads.
 */
const TRIES = 5;

/** The statements of "Harvesting". */
export const HARVESTING_CHECKS: readonly Check[] = [
  {
    id: "harvest.in-order",
    statement: "entries are harvested in ring order, and a part of them may be",
    source: API,
    where: "live",
    run(host) {
      const machine = host.machine();
      const pages = [3, 1, 2, 700, 4];
      pushPages(machine, pages);
      expect("entries in ring order", machine.dirty(0), pages);
      expect("a partial harvest", machine.harvest(0, 2), 2);
      expect("its reset", machine.reset(), 2);
      expect("flags afterwards", flagsOf(machine, 6), [0, 0, 1, 1, 1, 0]);
      expect("entries left", machine.dirty(0), pages.slice(2));
      expect("the rest harvested", machine.harvest(0), 3);
      expect("its reset", machine.reset(), 3);
      expect("flags afterwards", flagsOf(machine, 6), [0, 0, 0, 0, 0, 0]);
    },
  },
  {
    id: "harvest.while-running",
    statement: "harvesting is allowed while the vCPU runs: no page and no entry is lost",
    source: API,
    where: "live",
    async run(host) {
      for (let tries = 0; tries < TRIES; tries++) {
        // Small enough to fill up, and large enough that a run lasts some milliseconds. With PML,
        // entries arrive in batches of up to 512.
        const ringBytes = host.smallest * 4;
        const machine = host.machine({ ringBytes, pages: 4096 });
        const gfns = numbers(STORES).map((page) => machine.gfn + page);
        const seen = await harvestBeside(machine, gfns);
        const strays = [...seen.times.keys()].filter((page) => page >= STORES);
        const lost = numbers(STORES).filter((page) => !seen.times.has(page));
        expect("pages that were never stored to", strays, []);
        expect("pages that no entry named", lost, []);
        expect("entries reset, of those harvested", seen.reset, seen.harvested);
        expect("entries left in the ring", machine.held(0).length, 0);
        const pushed = host.kernel.insight?.ring(machine.vcpus[0]!.fd)?.dirtyIndex;
        if (pushed !== undefined) expect("entries harvested", seen.harvested, pushed);
        if (seen.beside > 0) {
          return `${seen.beside} harvests met the running vCPU, ${seen.harvested} entries, ` +
            `${seen.full} times full`;
        }
      }
      throw new CheckSkip(`no harvest met the running vCPU in ${TRIES} tries`);
    },
  },
  {
    id: "harvest.kick-flushes",
    statement:
      "with PML, entries may be in the CPU's buffer until the vCPU exits; then all are there",
    source: API,
    where: "live",
    run(host) {
      if (!host.pml) throw new CheckSkip("needs a processor with PML");
      const machine = host.machine();
      const pages = numbers(100); // fewer than the buffer of 512 holds
      const gfns = pages.map((page) => machine.gfn + page);
      // Store once and reset, so that the pages are mapped and only the processor logs them from
      // now on.
      expect("exit of the first stores", machine.store(0, gfns), machine.guest.exit);
      machine.harvest(0);
      expect("reset of the first stores", machine.reset(), pages.length);
      const before = pages.map((page) => machine.word(page));
      const storesMade = () => pages.filter((page) => machine.word(page) !== before[page]).length;
      let storesAtFirstPush = -1;
      host.kernel.insight?.watchPushes(() => {
        if (storesAtFirstPush === -1) storesAtFirstPush = storesMade();
      });
      expect("exit", machine.store(0, gfns), machine.guest.exit);
      if (host.kernel.insight !== null) {
        host.kernel.insight.watchPushes(null);
        const isLate = storesAtFirstPush > 1;
        expectThat("stores made before the first push", isLate, "several", storesAtFirstPush);
      }
      // Kernels differ in which end of the buffer they empty first.
      expect("entries after the exit", machine.dirty(0).sort((a, b) => a - b), pages);
    },
  },
  {
    id: "harvest.gap-stops",
    statement:
      "the reset stops at the first entry that is not harvested; later ones keep their flag",
    source: RING,
    where: "live",
    run(host) {
      const machine = host.machine();
      pushPages(machine, numbers(6));
      for (const index of [0, 1, 3, 4]) machine.setFlags(0, index, 3);
      expect("reset", machine.reset(), 2);
      expect("flags afterwards", flagsOf(machine, 6), [0, 0, 1, 3, 3, 1]);
      expect("another reset", machine.reset(), 0);
      expect("flags afterwards", flagsOf(machine, 6), [0, 0, 1, 3, 3, 1]);
    },
  },
  {
    id: "harvest.gap-filled",
    statement: "once the gap is harvested, too, the run behind it is reset",
    source: RING,
    where: "live",
    run(host) {
      const machine = host.machine();
      pushPages(machine, numbers(6));
      for (const index of [1, 2, 4]) machine.setFlags(0, index, 3);
      expect("reset before the gap is harvested", machine.reset(), 0);
      machine.setFlags(0, 0, 3);
      expect("reset afterwards", machine.reset(), 3);
      expect("flags afterwards", flagsOf(machine, 6), [0, 0, 0, 1, 3, 1]);
      machine.setFlags(0, 3, 3);
      expect("reset with the second gap harvested", machine.reset(), 2);
      expect("flags afterwards", flagsOf(machine, 6), [0, 0, 0, 0, 0, 1]);
    },
  },
  {
    id: "harvest.cleared-wedges",
    statement: "a dirty entry that the program sets to 0 wedges its ring",
    source: RING,
    where: "live",
    run(host) {
      const machine = host.machine({ vcpus: 2, pages: 2048 });
      pushPages(machine, numbers(4));
      machine.setFlags(0, 1, 0);
      for (const index of [0, 2, 3]) machine.setFlags(0, index, 3);
      expect("reset", machine.reset(), 1);
      expect("flags afterwards", flagsOf(machine, 5), [0, 0, 3, 3, 0]);
      // No entry is reset any more, so the ring fills up for good.
      const more = numbers(host.entries).map((page) => machine.gfn + 4 + page);
      expect("exit of further stores", machine.store(0, more), "KVM_EXIT_DIRTY_RING_FULL");
      machine.held(0).forEach(({ index }) => machine.setFlags(0, index, 3));
      expect("reset with all that is dirty harvested", machine.reset(), 0);
      expect("exit of the next run", machine.resume(0), "KVM_EXIT_DIRTY_RING_FULL");
      // The other vCPU's ring still works, and setting the one flag frees this ring.
      pushPages(machine, [2000], 1);
      machine.harvest(1);
      expect("reset of the other vCPU's ring", machine.reset(), 1);
      const held = machine.held(0).length;
      machine.setFlags(0, 1, 3);
      expect("reset with the entry marked as harvested", machine.reset(), held + 1);
    },
  },
];

/** The outcome of harvesting beside a running vCPU. */
export interface HarvestedBeside {
  /** How often each page of slot 1 was harvested. */
  readonly times: ReadonlyMap<number, number>;
  /** The number of entries harvested. */
  readonly harvested: number;
  /** The sum of what the resets returned. */
  readonly reset: number;
  /**
   * Harvests that certainly fell into a run of the vCPU: each found entries, and a later harvest in
   * the same run found more.
   */
  readonly beside: number;
  /** How often the ring was full. */
  readonly full: number;
}

/**
 * Lets the machine's first vCPU store to pages while its ring is harvested and reset, until all its
 * stores are made and all its entries are harvested. It does not use `drive/harvest_cycle.ts`,
 * because the check looks at each step and count itself.
 *
 * @param gfns The pages' guest frames.
 * @throws {CheckFailure} Where the vCPU stops for another reason than a full ring or the end of its
 * list.
 */
async function harvestBeside(
  machine: Machine,
  gfns: readonly number[],
): Promise<HarvestedBeside> {
  const times = new Map<number, number>();
  let [harvested, reset, beside, full] = [0, 0, 0, 0];
  const take = (): number => {
    // The vCPU may push meanwhile, so mark only the entries that were read.
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
    // Every run starts with an empty ring, so a full one holds entries.
    expectThat("a full ring", harvested > before, "entries to harvest", "none");
    full++;
  }
}
