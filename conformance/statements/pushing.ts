// Checks of which writes are pushed, when, and to which ring.
import {
  exitName,
  KVM_EXIT_DIRTY_RING_FULL,
  KVM_MEM_LOG_DIRTY_PAGES,
} from "../../ffi/kvm_constants.ts";
import { MADV_HUGEPAGE, PAGE_SIZE } from "../../ffi/linux.ts";
import { long64, reader64 } from "../../guest/long64.ts";
import { real16 } from "../../guest/real16.ts";
import type { Check } from "../kit/check.ts";
import type { CheckHost } from "../kit/check_host.ts";
import {
  ascending,
  CheckSkip,
  expect,
  expectOneOf,
  MAIN,
  numbers,
  SEED,
  X86,
} from "../kit/expect.ts";
import { storeTo } from "../kit/forged.ts";
import type { Machine } from "../kit/machine.ts";
import { storePages } from "../kit/push_pages.ts";
import { VCPU_IOCTL_CHECKS } from "../kit/vcpu_ioctls.ts";
import { vmStat } from "../kit/vm_stats.ts";

/** Pages of 4 KiB in a huge page of 2 MiB. */
const HUGE = 512;
/** The slot's first guest frame, aligned for a huge page. */
const GFN = 0x2000;
/** Statistic of a VM: huge pages that KVM has mapped. */
const STATISTIC = "pages_2m";

// A machine with a slot, not logged yet, whose host memory can be a huge page.
function machineOver(host: CheckHost): { machine: Machine; hostPage: number } {
  const machine = host.machine({ pages: 0, hostPages: 2 * HUGE });
  const hostPage = (HUGE - machine.hostAddress / PAGE_SIZE % HUGE) % HUGE;
  const address = machine.hostAddress + hostPage * PAGE_SIZE;
  // A kernel without transparent huge pages answers EINVAL. The statistic then shows that there are
  // none.
  host.kernel.madvise(address, HUGE * PAGE_SIZE, MADV_HUGEPAGE);
  machine.memory[hostPage * PAGE_SIZE / Uint32Array.BYTES_PER_ELEMENT] = 0;
  expect(
    "the slot, not logged",
    machine.setSlot(1, { gfn: GFN, pages: HUGE, hostPage, flags: 0 }),
    0,
  );
  return { machine, hostPage };
}

/** `push.4k`, a statement of "Who pushes, and when". */
const HUGE_PAGE_CHECKS: readonly Check[] = [
  {
    id: "push.4k",
    statement: "memory backed by huge pages is pushed in pages of 4 KiB while it is logged",
    source: X86,
    where: "live",
    run(host) {
      const { machine, hostPage } = machineOver(host);
      storeTo(machine, [GFN, GFN + 7]);
      const isModel = host.kernel.insight !== null;
      const huge = isModel ? null : vmStat(machine.vm, STATISTIC);
      if (!isModel && huge === null) {
        throw new CheckSkip(`this kernel has no statistic ${STATISTIC}`);
      }
      if (huge === 0n) throw new CheckSkip("this host gave no huge page (transparent_hugepage)");
      const place = { gfn: GFN, pages: HUGE, hostPage };
      const flags = KVM_MEM_LOG_DIRTY_PAGES;
      expect("the slot, logged", machine.setSlot(1, { ...place, flags }), 0);
      const pages = [0, 7, 300, HUGE - 1];
      for (const round of ["of a huge page", "after their reset"]) {
        storeTo(machine, pages.map((page) => GFN + page));
        expect(`pages pushed ${round}`, ascending(machine.dirty(0)), pages);
        expect("entries harvested", machine.harvest(0), pages.length);
        expect("entries reset", machine.reset(), pages.length);
      }
      storeTo(machine, [GFN + 8]);
      expect("a page beside them", machine.dirty(0), [8]);
      return isModel
        ? "the model has pages of 4 KiB alone"
        : `${huge} huge pages were mapped before`;
    },
  },
];

// From here on: how pages from a PML buffer reach the ring.

/**
 * Tries until no host interrupt falls between the stores: an interrupt empties the buffer early.
 */
const TRIES = 10;

function needsPml(host: CheckHost): void {
  if (!host.pml) throw new CheckSkip("needs a processor with PML");
}

// Stores to pages, then harvests and resets them. They are then mapped and clean, so that from now
// on the processor logs them.
function makeClean(machine: Machine, pages: readonly number[]): void {
  storePages(machine, pages);
  expect("entries harvested", machine.harvest(0), pages.length);
  expect("entries reset", machine.reset(), pages.length);
}

// Returns the pages that a run of stores pushes, in ring order, after harvesting and resetting
// them.
function pushed(machine: Machine, pages: readonly number[]): number[] {
  storePages(machine, pages);
  const order = machine.dirty(0);
  expect("pages pushed", ascending(order), ascending(pages));
  machine.harvest(0);
  expect("entries reset", machine.reset(), pages.length);
  return order;
}

/** `push.pml-order` and `push.pml-before-fault`, statements of "Who pushes, and when". */
const PROCESSOR_LOG_CHECKS: readonly Check[] = [
  {
    id: "push.pml-order",
    statement: "with PML, entries come in the order of the writes from v6.14 on",
    source: `${X86}, v6.14`,
    where: "live",
    run(host) {
      needsPml(host);
      const machine = host.machine();
      const pages = [9, 3, 700, 7, 1, 200];
      makeClean(machine, pages);
      if (host.since("6.14")) {
        for (let n = 0; n < TRIES; n++) {
          expect("pages in ring order", pushed(machine, pages), pages);
        }
        return;
      }
      // Before v6.14, each flush of the buffer pushed the newest page first.
      const orders = Array.from({ length: TRIES }, () => `${pushed(machine, pages)}`);
      expectOneOf("the reverse order", `${pages.toReversed()}`, orders);
      return "before v6.14: each time that the buffer is emptied, the newest page first";
    },
  },
  {
    id: "push.pml-before-fault",
    statement:
      "with PML, what the buffer holds is pushed before the page of a fault that ends the same run",
    source: X86,
    where: "live",
    run(host) {
      needsPml(host);
      const machine = host.machine();
      const noted = [4, 2, 6];
      makeClean(machine, noted);
      const fresh = 800;
      storePages(machine, [...noted, fresh]);
      const order = machine.dirty(0);
      expect("pages noted by the processor", ascending(order.slice(0, -1)), ascending(noted));
      expect("the page that faulted", order.at(-1) ?? null, fresh);
    },
  },
];

const FULL = exitName(KVM_EXIT_DIRTY_RING_FULL);

/** A slot without the log flag, over the same host memory as slot 1. */
const ALIAS_SLOT = 2;
const ALIAS_GFN = 0x8000;

// Harvests all entries of a ring and resets them.
function takeBack(machine: Machine, count: number, vcpu = 0): void {
  expect("entries harvested", machine.harvest(vcpu), count);
  expect("entries reset", machine.reset(), count);
}

/** The statements of "Who pushes, and when". */
export const PUSHING_CHECKS: readonly Check[] = [
  {
    id: "push.logged-slots-only",
    statement: "only slots with KVM_MEM_LOG_DIRTY_PAGES; an alias without it logs nothing",
    source: MAIN,
    where: "live",
    run(host) {
      const machine = host.machine();
      const alias = { gfn: ALIAS_GFN, pages: 16, flags: 0 };
      expect("alias slot", machine.setSlot(ALIAS_SLOT, alias), 0);
      storeTo(machine, [ALIAS_GFN, ALIAS_GFN + 1, machine.gfn + 2, machine.gfn + 1]);
      expect("words stored", numbers(4).map((page) => machine.word(page)), [1, 4, 3, 0]);
      expect("slots in the ring", machine.held(0).map(({ slot }) => slot), [1, 1]);
      expect("pages in the ring", ascending(machine.dirty(0)), [1, 2]);
    },
  },
  {
    id: "push.host-writes",
    statement: "stores by the program itself are never logged",
    source: MAIN,
    where: "live",
    run(host) {
      const machine = host.machine();
      const write = (page: number, value: number) =>
        machine.memory[page * PAGE_SIZE / Uint32Array.BYTES_PER_ELEMENT] = value;
      numbers(3).forEach((page) => write(page, 7));
      expect("entries after stores to pages without a mapping", machine.held(0).length, 0);
      storePages(machine, [2, 3]);
      expect("pages in the ring after the guest's stores", ascending(machine.dirty(0)), [2, 3]);
      takeBack(machine, 2);
      numbers(4).forEach((page) => write(page, 9));
      expect("entries after stores to protected pages", machine.held(0).length, 0);
      expect("entries reset", machine.reset(), 0);
      storePages(machine, [4]);
      expect("pages in the ring", machine.dirty(0), [4]);
    },
  },
  {
    id: "push.own-ring",
    statement: "an entry goes to the ring of the vCPU that wrote",
    source: SEED,
    where: "live",
    run(host) {
      const machine = host.machine({ vcpus: 2 });
      const rings = () => [0, 1].map((vcpu) => ascending(machine.dirty(vcpu)));
      storePages(machine, [1, 2], 0);
      expect("pages in the rings", rings(), [[1, 2], []]);
      storePages(machine, [3], 1);
      expect("pages in the rings", rings(), [[1, 2], [3]]);
      storePages(machine, [4], 0);
      expect("pages in the rings", rings(), [[1, 2, 4], [3]]);
    },
  },
  {
    id: "push.once-until-reset",
    statement: "a page written through the page tables is logged once until it is reset",
    source: X86,
    where: "live",
    run(host) {
      const machine = host.machine();
      for (const round of ["fresh", "reset"]) {
        storePages(machine, [0, 0, 1, 0, 1]);
        storePages(machine, [1, 0]);
        expect(`entries of ${round} pages`, ascending(machine.dirty(0)), [0, 1]);
        expect("entries harvested", machine.harvest(0), 2);
        storePages(machine, [0, 1]);
        expect(`entries after the harvest of ${round} pages`, machine.dirty(0), []);
        expect("entries reset", machine.reset(), 2);
      }
      expect("words stored", [machine.word(0), machine.word(1)], [17, 18]);
    },
  },
  {
    id: "push.again-after-reset",
    statement: "after its reset the next write logs it again, on the writer's ring",
    source: X86,
    where: "live",
    run(host) {
      const machine = host.machine({ vcpus: 2 });
      const rings = () => [machine.dirty(0), machine.dirty(1)];
      storePages(machine, [5]);
      storePages(machine, [5], 1);
      expect("rings before the reset", rings(), [[5], []]);
      takeBack(machine, 1);
      storePages(machine, [5]);
      expect("rings after the first vCPU's write", rings(), [[5], []]);
      takeBack(machine, 1);
      storePages(machine, [5], 1);
      expect("rings after the second vCPU's write", rings(), [[], [5]]);
    },
  },
  {
    id: "push.emulated-writes-repeat",
    statement: "a write made by KVM's instruction emulator pushes every time",
    source: MAIN,
    where: "live",
    run(host) {
      // The model says so itself. A real kernel is probed with two stores to a page.
      const isEmulated = host.kernel.insight?.emulator ?? host.emulatesRealMode;
      if (!isEmulated) throw new CheckSkip("this host does not emulate real mode");
      const machine = host.machine({ guest: real16 });
      storePages(machine, [0, 0, 1, 0]);
      expect("pages in the ring", machine.dirty(0), [0, 0, 1, 0]);
      expect("entries harvested", machine.harvest(0), 4);
      storePages(machine, [1]);
      expect("pages in the ring after the harvest", machine.dirty(0), [1]);
    },
  },
  {
    id: "push.before-store",
    statement: "where faults log, a page is pushed before the store",
    source: X86,
    where: "live",
    run(host) {
      host.needsFaults();
      const machine = host.machine();
      const pages = numbers(host.softLimit + 2);
      expect("exit", machine.store(0, pages.map((page) => machine.gfn + page)), FULL);
      const pushed = machine.dirty(0);
      expect("pages pushed", pushed, pages.slice(0, host.softLimit));
      const words = () => pushed.map((page) => machine.word(page));
      const last = host.softLimit;
      expect("words stored", words(), [...numbers(last - 1, 1), 0]);
      expect("stores left", machine.remaining(0), 3);
      takeBack(machine, last);
      expect("exit", machine.resume(0), machine.guest.exit);
      expect("words stored after the reset", words(), numbers(last, 1));
    },
  },
  {
    id: "push.read-may-push",
    statement: "a page first touched by a read may be pushed too: an entry does not prove a store",
    source: X86,
    where: "live",
    run(host) {
      const machine = host.machine({ guest: reader64 });
      const pages = numbers(16);
      // Half of the pages have host memory already, the others were never touched.
      const words = pages.map((page) => page < 8 ? page + 1 : 0);
      words.slice(0, 8).forEach((word, page) => {
        machine.memory[page * PAGE_SIZE / Uint32Array.BYTES_PER_ELEMENT] = word;
      });
      storePages(machine, pages); // the reader loads instead
      const pushed = machine.dirty(0);
      expect("words after the reads", pages.map((page) => machine.word(page)), words);
      expect("pages pushed twice", pushed.length - new Set(pushed).size, 0);
      const strays = pushed.filter((page) => !pages.includes(page));
      expect("pages pushed that were not read", strays, []);
      machine.harvest(0); // without a reset, pushed pages stay writable
      const again = { list: machine.guest.listAt, stores: pages.length, value: 100, step: 1 };
      machine.vcpus[0]!.setRegisters(long64.begin(again));
      expect("exit of the stores", machine.resume(0), machine.guest.exit);
      const rest = pages.filter((page) => !pushed.includes(page));
      expect("pages pushed by the stores", ascending(machine.dirty(0)), rest);
      expect("words stored", pages.map((page) => machine.word(page)), numbers(16, 100));
      return `reads pushed ${pushed.length} of ${pages.length} pages`;
    },
  },
  {
    id: "push.once-more-after-full",
    statement:
      "after a ring-full exit and a reset, the page of the store that was cut off appears " +
      "once more",
    source: X86,
    where: "live",
    run(host) {
      host.needsFaults();
      const machine = host.machine();
      const { softLimit } = host;
      const pages = numbers(2 * softLimit);
      const harvests: number[][] = [];
      let exit = machine.store(0, pages.map((page) => machine.gfn + page));
      for (; exit === FULL && harvests.length < 4; exit = machine.resume(0)) {
        harvests.push(machine.dirty(0));
        takeBack(machine, softLimit);
      }
      expect("last exit", exit, machine.guest.exit);
      harvests.push(machine.dirty(0));
      // Each harvest starts with the page with which the one before ended.
      expect("pages harvested, a list for each time", harvests, [
        pages.slice(0, softLimit),
        pages.slice(softLimit - 1, 2 * softLimit - 1),
        pages.slice(2 * softLimit - 2),
      ]);
    },
  },
  {
    id: "push.no-running-vcpu",
    statement:
      "a write outside a running vCPU warns and reaches no ring; since v6.2 the slot's bitmap, where there is one",
    source: `${MAIN}, v5.17 and v6.2`,
    where: "model",
    run(host) {
      const { insight } = host;
      host.needs("5.17");
      const machine = host.machine({ vcpus: 2 });
      const write = (gfn: number) => insight.writeOutsideVcpu(machine.vm.fd, gfn * PAGE_SIZE);
      const held = () => [0, 1].map((vcpu) => machine.held(vcpu).length);
      expect("warned of a write to a logged slot", write(machine.gfn + 3), true);
      expect("entries in the rings", held(), [0, 0]);
      storePages(machine, [3], 1);
      expect("entries after a vCPU's store", held(), [0, 1]);
      takeBack(machine, 1, 1);
      expect("warned of a write to a protected page", write(machine.gfn + 3), true);
      expect("entries in the rings", held(), [0, 0]);
      storePages(machine, [3], 1);
      expect("pages in the ring after another store", machine.dirty(1), [3]);

      // A slot that was logged before the ring was enabled has a bitmap, though no ioctl returns
      // it.
      const early = host.machine({ ringAfterSlot: true });
      insight.writeOutsideVcpu(early.vm.fd, (early.gfn + 3) * PAGE_SIZE);
      expect("entries in the ring", early.held(0).length, 0);
      const dirty = host.since("6.2") ? [3] : [];
      expect("pages in the slot's bitmap", insight.bitmap(early.vm.fd, 1), dirty);
    },
  },
  ...VCPU_IOCTL_CHECKS,
  ...HUGE_PAGE_CHECKS,
  ...PROCESSOR_LOG_CHECKS,
];
