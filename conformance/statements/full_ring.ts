// Checks of a full ring: the exit, what it takes precedence over, and overflows.
import { checked } from "../../ffi/errors.ts";
import { exitName, KVM_EXIT_DIRTY_RING_FULL } from "../../ffi/kvm_constants.ts";
import { KVM_SET_SIGNAL_MASK } from "../../ffi/kvm_ioctls.ts";
import { kvm_run } from "../../ffi/kvm_structs.ts";
import { PAGE_SIZE, SIGUSR1 } from "../../ffi/linux.ts";
import { kvmSignalMask, signalSet } from "../../ffi/process.ts";
import { tight16, TIGHT16_STORES } from "../../guest/real16.ts";
import { Mapping } from "../../kvm/mapping.ts";
import { BlockedSignal } from "../../kvm/run_ticks.ts";
import type { Check } from "../kit/check.ts";
import type { CheckHost } from "../kit/check_host.ts";
import {
  CheckSkip,
  expect,
  expectOneOf,
  expectThat,
  Known,
  MAIN,
  numbers,
  RING,
  SEED,
  X86,
} from "../kit/expect.ts";
import { storeTo } from "../kit/forged.ts";
import type { Machine } from "../kit/machine.ts";
import { preFaultOverflow } from "../kit/vcpu_ioctls.ts";
import { needsToWarn } from "../kit/vm_stats.ts";

const FULL = exitName(KVM_EXIT_DIRTY_RING_FULL);

/** Stores beyond the soft limit, which a vCPU has left when its ring is full. */
const BEYOND = 8;

// Lets vCPU 0 store to new pages until its ring is full. Returns the number of entries in it.
function fill(host: CheckHost, machine: Machine): number {
  const pages = numbers(host.softLimit + BEYOND);
  expect("exit", machine.store(0, pages.map((page) => machine.gfn + page)), FULL);
  const used = machine.dirty(0).length;
  expectThat("entries in use", used >= host.softLimit, `${host.softLimit} or more`, used);
  return used;
}

/** The statements of "A full ring". */
export const FULL_RING_CHECKS: readonly Check[] = [
  {
    id: "full.exit",
    statement: "used >= soft limit at guest entry: KVM_RUN returns 0 with exit reason 31",
    source: SEED,
    where: "live",
    run(host) {
      const machine = host.machine();
      const below = numbers(host.softLimit - 1, machine.gfn);
      storeTo(machine, below);
      expect("entries one below the soft limit", machine.dirty(0).length, below.length);
      machine.begin(0, numbers(BEYOND, machine.gfn + below.length));
      const [vcpu] = machine.vcpus;
      expect("KVM_RUN", vcpu!.run(), 0);
      expect("exit reason", vcpu!.exitReason, 31);
      const used = machine.dirty(0).length;
      // With PML the processor's buffer may hold further pages, which KVM pushes at the exit.
      if (!host.pml) expect("entries in use", used, host.softLimit);
      expectThat("entries in use", used >= host.softLimit, `${host.softLimit} or more`, used);
    },
  },
  {
    id: "full.sticky",
    statement: "running again without a reset exits 31 again, even if all is harvested",
    source: X86,
    where: "live",
    run(host) {
      const machine = host.machine();
      const used = fill(host, machine);
      const left = machine.remaining(0);
      expect("exit of the second run", machine.resume(0), FULL);
      expect("entries harvested", machine.harvest(0), used);
      expect("exits after the harvest", [machine.resume(0), machine.resume(0)], [FULL, FULL]);
      expect("stores left", machine.remaining(0), left);
      expect("new entries", machine.dirty(0), []);
      expect("entries reset", machine.reset(), used);
      expect("exit after the reset", machine.resume(0), machine.guest.exit);
    },
  },
  {
    id: "full.one-reset-one-push",
    statement: "where faults log: below the soft limit by k, the vCPU gets k more pushes",
    source: X86,
    where: "live",
    run(host) {
      host.needsFaults();
      const machine = host.machine();
      const { softLimit } = host;
      machine.begin(0, numbers(softLimit + 100, machine.gfn));
      expect("exit", machine.resume(0), FULL);
      expect("pages in the ring", machine.dirty(0), numbers(softLimit));
      let taken = 0;
      for (const k of [1, 3, 20]) {
        expect("entries harvested", machine.harvest(0, k), k);
        expect("entries reset", machine.reset(), k);
        expect(`exit after ${k} entries were reset`, machine.resume(0), FULL);
        taken += k;
        expect("pages in the ring", machine.dirty(0), numbers(softLimit, taken));
      }
    },
  },
  {
    id: "full.others-run",
    statement: "a full ring stops its own vCPU only",
    source: X86,
    where: "live",
    run(host) {
      const machine = host.machine({ vcpus: 2 });
      fill(host, machine);
      const beyond = 500; // pages that vCPU 0 does not reach
      storeTo(machine, [machine.gfn + beyond], 1);
      storeTo(machine, [machine.gfn + beyond + 1], 1);
      expect("the other vCPU's ring", machine.dirty(1), [beyond, beyond + 1]);
      expect("exit of the vCPU with the full ring", machine.resume(0), FULL);
    },
  },
  {
    id: "full.beats-signal",
    statement: "a full ring is reported before a pending signal; immediate_exit before a full ring",
    source: X86,
    where: "live",
    run(host) {
      const machine = host.machine({ vcpus: 2 });
      const used = fill(host, machine);
      machine.begin(1, [machine.gfn + 500]);
      for (const vcpu of machine.vcpus) {
        checked(vcpu.ioctl(KVM_SET_SIGNAL_MASK, kvmSignalMask(signalSet())), "KVM_SET_SIGNAL_MASK");
      }
      using signal = new BlockedSignal(host.kernel, SIGUSR1);
      signal.raise();
      expect("a full ring and a pending signal", machine.resume(0), FULL);
      expect("a pending signal alone", machine.resume(1), "EINTR");
      expect("the signal afterwards", signal.take(), SIGUSR1);
      expect("without the signal", [machine.resume(0), machine.resume(1)], [
        FULL,
        machine.guest.exit,
      ]);
      const { fd } = machine.vcpus[0]!;
      const run = host.use(Mapping.shared(host.kernel, fd, 0, PAGE_SIZE, "kvm_run")).bytes;
      run[kvm_run.at.immediate_exit] = 1;
      expect("a full ring and immediate_exit", machine.resume(0), "EINTR");
      run[kvm_run.at.immediate_exit] = 0;
      expect("a full ring alone", machine.resume(0), FULL);
      expect("entries in use", machine.dirty(0).length, used);
    },
  },
  {
    id: "full.overflow",
    statement: "where an emulation loop outruns the reserve, a push past the size overwrites the " +
      "oldest entry",
    source: RING,
    where: "live",
    warns: true,
    run: overflow,
  },
  {
    id: "full.prefault-overflow",
    statement:
      "KVM_PRE_FAULT_MEMORY looks at no full ring: a range longer than the ring's free entries overwrites entries",
    source: `${MAIN}, v6.11`,
    where: "live",
    warns: true,
    run: preFaultOverflow,
  },
];

const TRIES = 10;

/**
 * `full.overflow`: lets an emulated guest push more entries than the ring has. Its program needs
 * only one instruction for each store.
 *
 * @returns The defect where it is observed, otherwise how often it was tried.
 * @throws {CheckSkip} Where it may not, or cannot, be tried.
 * @throws {CheckFailure} Where entries are lost in some other way.
 */
function overflow(host: CheckHost): Known | string {
  if (!host.emulatesRealMode) throw new CheckSkip("this host does not emulate real mode");
  if (host.reserved >= TIGHT16_STORES) {
    throw new CheckSkip(
      `the reserve of ${host.reserved} entries is more than the guest's ${TIGHT16_STORES} stores`,
    );
  }
  needsToWarn(host);
  for (let n = 1; n <= TRIES; n++) {
    const machine = host.machine({ guest: tight16 });
    const pushed = pushPastSoftLimit(host, machine);
    if (pushed > host.entries) return overwritten(machine, pushed, n);
    // Counter-check: nothing is lost as long as the reserve is large enough.
    expect("pages in the ring", machine.dirty(0), numbers(pushed));
  }
  return `no ring overflowed in ${TRIES} tries`;
}

// Stores to page after page, TIGHT16_STORES at a time, until the ring is full. Each store pushes
// once.
function pushPastSoftLimit(host: CheckHost, machine: Machine): number {
  for (let pushed = 0;;) {
    const exit = machine.store(0, numbers(TIGHT16_STORES, machine.gfn + pushed));
    pushed += TIGHT16_STORES - machine.remaining(0);
    expectOneOf("exit", exit, [FULL, tight16.exit]);
    if (exit === FULL || pushed > host.entries) return pushed;
  }
}

function overwritten(machine: Machine, pushed: number, tries: number): Known {
  const { entries } = machine.rings[0]!;
  const lost = pushed - entries;
  const held = machine.held(0);
  expect("entries held", held.length, entries);
  // Push n is at index n modulo the size, so the last pushes overwrote the first.
  const offsets = held.map(({ offset }) => offset);
  expect("pages in the ring", offsets, [
    ...numbers(lost, entries),
    ...numbers(entries - lost, lost),
  ]);
  expect("entries harvested", machine.harvest(0), entries);
  expect("entries reset", machine.reset(), entries);
  // KVM continues behind the last push. The harvester continues at the index where it stopped, and
  // finds flags of 0 there.
  const exit = machine.store(0, numbers(TIGHT16_STORES, machine.gfn + pushed));
  expectOneOf("exit after the reset", exit, [FULL, tight16.exit]);
  const stuck = machine.held(0).length;
  expectThat("entries after the next run", stuck > 0, "some", stuck);
  expect("of these, in reach of an in-order harvest", machine.dirty(0).length, 0);
  return new Known(
    `${pushed} pushes into ${entries} entries in try ${tries}: pages 0 to ${lost - 1} were ` +
      `overwritten; after a harvest and a reset of ${entries}, ${stuck} new entries are out of reach`,
  );
}
