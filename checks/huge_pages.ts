import { KVM_MEM_LOG_DIRTY_PAGES } from "../ffi/kvm_constants.ts";
import { MADV_HUGEPAGE, PAGE_SIZE } from "../ffi/linux.ts";
import type { Check } from "./check.ts";
import { CheckSkip } from "./check_answer.ts";
import type { CheckHost } from "./check_host.ts";
import { expect } from "./expect.ts";
import { storeTo } from "./forged.ts";
import type { Machine } from "./machine.ts";
import { ascending } from "./numbers.ts";
import { X86 } from "./sources.ts";
import { vmStat } from "./vm_stats.ts";

/** Pages of 4 KiB in one of 2 MiB. */
const HUGE = 512;
/** Where the slot lies: as a huge page has to. */
const GFN = 0x2000;
/** Huge pages that KVM has mapped: `stat.pages_2m` of a VM. */
const STATISTIC = "pages_2m";

// A slot over memory that a huge page can lie behind, not logged yet.
function machineOver(host: CheckHost): { machine: Machine; hostPage: number } {
  const machine = host.machine({ pages: 0, hostPages: 2 * HUGE });
  const hostPage = (HUGE - machine.hostAddress / PAGE_SIZE % HUGE) % HUGE;
  const address = machine.hostAddress + hostPage * PAGE_SIZE;
  // A kernel without transparent huge pages answers EINVAL, and shows below that there are none.
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
export const HUGE_PAGE_CHECKS: readonly Check[] = [
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
