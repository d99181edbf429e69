// Checks of KVM_RESET_DIRTY_RINGS: its number, its count, who may call it, and when.
import { ERRNO, errnoName } from "../../ffi/errors.ts";
import { KVM_CAP_BINARY_STATS_FD } from "../../ffi/kvm_constants.ts";
import { KVM_RESET_DIRTY_RINGS } from "../../ffi/kvm_ioctls.ts";
import type { Check } from "../kit/check.ts";
import { EXCLUSIVE_CHECKS } from "../kit/exclusive.ts";
import { API, ascending, CheckSkip, expect, MAIN, numbers, RING, SEED } from "../kit/expect.ts";
import { storePages } from "../kit/push_pages.ts";
import { skipsWithoutProcess, vmStat } from "../kit/vm_stats.ts";
import { CONCURRENT_RESET_CHECKS } from "./concurrent_resets.ts";
import { RESET_SIGNAL_CHECKS, RUNNING_RESET_CHECKS } from "./running_resets.ts";

const FLUSH_REQUESTS = "remote_tlb_flush_requests";

/** The statements of "Resetting". */
export const RESETTING_CHECKS: readonly Check[] = [
  {
    id: "reset.number",
    statement: "KVM_RESET_DIRTY_RINGS is 0xAEC7 and ignores its argument",
    source: API,
    where: "live",
    run(host) {
      expect("KVM_RESET_DIRTY_RINGS", KVM_RESET_DIRTY_RINGS, 0xaec7);
      const machine = host.machine();
      for (const argument of [0, 1, 0xffff_ffff, 2n ** 63n, 2n ** 64n - 1n]) {
        storePages(machine, [0, 1]);
        expect("entries harvested", machine.harvest(0), 2);
        const answer = host.kernel.ioctl(machine.vm.fd, 0xaec7, argument);
        expect(`ioctl(0xAEC7, ${argument})`, answer, 2);
      }
    },
  },
  {
    id: "reset.ring-off",
    statement: "with the ring off: EINVAL",
    source: SEED,
    where: "live",
    run(host) {
      const machine = host.machine({ ringBytes: null });
      expect("with the ring off", errnoName(-machine.reset()), "EINVAL");
      expect("with the ring on", host.machine().reset(), 0);
    },
  },
  {
    id: "reset.count",
    statement: "it returns the entries reset over all vCPUs; 0 when there are none",
    source: SEED,
    where: "live",
    run(host) {
      expect("a VM without vCPUs", host.machine({ vcpus: 0 }).reset(), 0);
      const machine = host.machine({ vcpus: 3 });
      expect("empty rings", machine.reset(), 0);
      storePages(machine, [0, 1, 2], 0);
      storePages(machine, [3, 4], 2);
      expect("nothing harvested", machine.reset(), 0);
      expect("entries harvested", [machine.harvest(0, 2), machine.harvest(2)], [2, 2]);
      expect("harvested in two of three rings", machine.reset(), 4);
      expect("the same again", machine.reset(), 0);
      expect("entries harvested", machine.harvest(0), 1);
      expect("the last one", machine.reset(), 1);
    },
  },
  {
    id: "reset.other-process",
    statement: "from a process with another address space: EIO",
    source: MAIN,
    where: "live",
    run(host) {
      const machine = host.machine();
      storePages(machine, [0, 1]);
      machine.harvest(0);
      const answer = skipsWithoutProcess(() =>
        host.kernel.ioctlElsewhere(machine.vm.fd, KVM_RESET_DIRTY_RINGS)
      );
      expect("from another process", answer, -ERRNO.EIO);
      expect("flags afterwards", machine.held(0).map(({ flags }) => flags), [3, 3]);
      expect("from this process", machine.reset(), 2);
    },
  },
  {
    id: "reset.one-flush",
    statement: "one remote TLB flush is requested when the count is above 0, none otherwise",
    source: SEED,
    where: "live",
    run(host) {
      if (host.system.checkExtension(KVM_CAP_BINARY_STATS_FD) === 0) {
        throw new CheckSkip("this kernel has no KVM_CAP_BINARY_STATS_FD");
      }
      const machine = host.machine({ vcpus: 2 });
      const requests = () => {
        const value = vmStat(machine.vm, FLUSH_REQUESTS);
        if (value === null) throw new CheckSkip(`this kernel has no statistic ${FLUSH_REQUESTS}`);
        return value;
      };
      // Use pages far apart, so that each is a batch of its own.
      storePages(machine, [0, 100, 200], 0);
      storePages(machine, [300, 400], 1);
      for (const harvested of [0, 5, 0]) {
        if (harvested > 0) {
          expect("entries harvested", machine.harvest(0) + machine.harvest(1), harvested);
        }
        const before = requests();
        expect("entries reset", machine.reset(), harvested);
        const flushes = harvested > 0 ? 1 : 0;
        expect(`flushes requested for ${harvested} entries`, requests() - before, flushes);
      }
    },
  },
  ...RUNNING_RESET_CHECKS,
  {
    id: "reset.before-read",
    statement: "content read before the reset may miss a later, never reported write",
    source: API,
    where: "live",
    run(host) {
      const machine = host.machine();
      const read = (page: number) => machine.word(page);
      storePages(machine, [0]);
      machine.harvest(0);
      const early = read(0);
      storePages(machine, [0]);
      expect("entries reset", machine.reset(), 1);
      expect("content read before the reset", early, 1);
      expect("content afterwards", read(0), 2);
      expect("entries of the later write", machine.held(0).length, 0);

      storePages(machine, [1]);
      machine.harvest(0);
      expect("entries reset", machine.reset(), 1);
      const late = read(1);
      storePages(machine, [1]);
      expect("content read after the reset", late, 3);
      expect("content afterwards", read(1), 4);
      expect("pages of the later write", machine.dirty(0), [1]);
    },
  },
  {
    id: "reset.closed-vcpu",
    statement: "the ring of a vCPU whose fd was closed is still reset",
    source: MAIN,
    where: "live",
    run(host) {
      const machine = host.machine({ vcpus: 3 });
      storePages(machine, [0, 1, 2], 0);
      storePages(machine, [3, 4], 1);
      machine.harvest(0);
      machine.harvest(1);
      // The first vCPU's ring stays mapped; of the second vCPU the program keeps nothing.
      machine.vcpus[0]![Symbol.dispose]();
      machine.rings[1]![Symbol.dispose]();
      machine.vcpus[1]![Symbol.dispose]();
      expect("entries reset", machine.reset(), 5);
      expect("entries left in the ring that is still mapped", machine.held(0).length, 0);
      storePages(machine, numbers(5), 2);
      expect("pages that another vCPU pushes", ascending(machine.dirty(2)), numbers(5));
    },
  },
  ...RESET_SIGNAL_CHECKS,
  {
    id: "reset.int-max",
    statement: "one call stops at INT_MAX entries",
    source: `${RING}, v6.17`,
    where: "model",
    run(host) {
      const { insight } = host;
      host.needs("6.17");
      const machine = host.machine({ vcpus: 2 });
      const fill = () => {
        storePages(machine, [0, 1], 0);
        storePages(machine, [2, 3, 4], 1);
        expect("entries harvested", [machine.harvest(0), machine.harvest(1)], [2, 3]);
      };
      fill();
      try {
        insight.setResetMaximum(3);
        expect("resets of at most 3", [machine.reset(), machine.reset(), machine.reset()], [
          3,
          2,
          0,
        ]);
      } finally {
        insight.setResetMaximum(null);
      }
      // All five pages were re-protected, so they are pushed again.
      fill();
      expect("a reset of at most INT_MAX", machine.reset(), 5);
    },
  },
  ...CONCURRENT_RESET_CHECKS,
  ...EXCLUSIVE_CHECKS,
];
