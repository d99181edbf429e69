// Checks of pushes by a vCPU's ioctls. KVM treats a write during such an ioctl like one of the
// running vCPU.
import { checked, errnoName } from "../../ffi/errors.ts";
import { KVM_CAP_PRE_FAULT_MEMORY } from "../../ffi/kvm_constants.ts";
import { KVM_PRE_FAULT_MEMORY, KVM_SET_MSRS } from "../../ffi/kvm_ioctls.ts";
import { kvm_msr_entry, kvm_msrs, kvm_pre_fault_memory } from "../../ffi/kvm_structs.ts";
import { PAGE_SIZE } from "../../ffi/linux.ts";
import type { Vcpu } from "../../kvm/vcpu.ts";
import type { Check } from "./check.ts";
import type { CheckHost } from "./check_host.ts";
import {
  ascending,
  type CheckAnswer,
  CheckSkip,
  expect,
  expectThat,
  Known,
  MAIN,
  numbers,
  X86,
} from "./expect.ts";
import type { Machine } from "./machine.ts";
import { storePages } from "./push_pages.ts";
import { needsToWarn } from "./vm_stats.ts";

/**
 * `MSR_KVM_WALL_CLOCK_NEW`: a write to it makes KVM store the time at the guest address written.
 */
const MSR_KVM_WALL_CLOCK_NEW = 0x4b56_4d00;

/** The answer of `KVM_PRE_FAULT_MEMORY`, and how many pages of the range it handled. */
interface PreFault {
  readonly answer: number;
  readonly pages: number;
}

// Pre-faults the first pages of slot 1 with one call. The host writes them first: untouched pages
// would be mapped read-only, and not pushed.
function preFault(machine: Machine, pages: number): PreFault {
  numbers(pages).forEach((page) => machine.memory[page * PAGE_SIZE / 4] = 0);
  const view = new DataView(new ArrayBuffer(kvm_pre_fault_memory.size));
  const { at } = kvm_pre_fault_memory;
  view.setBigUint64(at.gpa, BigInt(machine.gfn * PAGE_SIZE), true);
  view.setBigUint64(at.size, BigInt(pages * PAGE_SIZE), true);
  const answer = machine.vcpus[0]!.ioctl(KVM_PRE_FAULT_MEMORY, new Uint8Array(view.buffer));
  return { answer, pages: pages - Number(view.getBigUint64(at.size, true)) / PAGE_SIZE };
}

function needsPreFault(host: CheckHost): void {
  host.needs("6.11");
  if (host.system.checkExtension(KVM_CAP_PRE_FAULT_MEMORY) > 0) return;
  throw new CheckSkip("needs KVM_CAP_PRE_FAULT_MEMORY, which is there with two-dimensional paging");
}

// Makes KVM write the time to a page. Returns the number of MSRs written: 0 where KVM lacks this
// one.
function writeWallClock(vcpu: Vcpu, gfn: number): number {
  const view = new DataView(new ArrayBuffer(kvm_msrs.size + kvm_msr_entry.size));
  view.setUint32(kvm_msrs.at.nmsrs, 1, true);
  view.setUint32(kvm_msrs.size + kvm_msr_entry.at.index, MSR_KVM_WALL_CLOCK_NEW, true);
  const address = BigInt(gfn * PAGE_SIZE);
  view.setBigUint64(kvm_msrs.size + kvm_msr_entry.at.data, address, true);
  return checked(vcpu.ioctl(KVM_SET_MSRS, new Uint8Array(view.buffer)), "KVM_SET_MSRS");
}

/** `push.prefault` and `push.vcpu-ioctl`, statements of "Who pushes, and when". */
export const VCPU_IOCTL_CHECKS: readonly Check[] = [
  {
    id: "push.prefault",
    statement: "KVM_PRE_FAULT_MEMORY on logged memory pushes an entry for each page",
    source: `${X86}, v6.11`,
    where: "live",
    run(host) {
      needsPreFault(host);
      const machine = host.machine();
      const pages = numbers(16);
      const { answer, pages: mapped } = preFault(machine, pages.length);
      expect("KVM_PRE_FAULT_MEMORY", answer, 0);
      expect("pages mapped", mapped, pages.length);
      expect("pages in the ring", machine.dirty(0), pages);
      storePages(machine, pages);
      expect("pages in the ring after the guest's stores", machine.dirty(0), pages);
      expect("entries harvested", machine.harvest(0), pages.length);
      expect("entries reset", machine.reset(), pages.length);
      storePages(machine, pages);
      expect("pages pushed after the reset", ascending(machine.dirty(0)), pages);
    },
  },
  {
    id: "push.vcpu-ioctl",
    statement: "a write to guest memory by a vCPU's ioctl is pushed to that vCPU's ring",
    source: MAIN,
    where: "live",
    run(host) {
      const machine = host.machine({ vcpus: 2 });
      const page = 5;
      if (writeWallClock(machine.vcpus[1]!, machine.gfn + page) === 0) {
        throw new CheckSkip("this KVM does not have MSR_KVM_WALL_CLOCK_NEW");
      }
      const isWritten = machine.word(page) > 0;
      expectThat("the wall clock's version in guest memory", isWritten, "above 0", 0);
      const pushed = machine.dirty(1);
      expect("pages in the vCPU's ring", [...new Set(pushed)], [page]);
      expect("pages in the other vCPU's ring", machine.dirty(0), []);
      expect("entries harvested", machine.harvest(1), pushed.length);
      expect("entries reset", machine.reset(), pushed.length);
      return `${pushed.length} entries, one for each write`;
    },
  },
];

/**
 * `full.prefault-overflow`: pre-faults twice as many pages as a ring has entries.
 *
 * @returns A {@linkcode Known} defect where entries were overwritten, otherwise a remark.
 * @throws {CheckSkip} Where the kernel may not be made to warn, or cannot pre-fault.
 * @throws {CheckFailure} Where the ring holds neither the pages mapped nor what an overflow leaves
 * behind.
 */
export function preFaultOverflow(host: CheckHost): CheckAnswer {
  needsPreFault(host);
  needsToWarn(host);
  const { entries } = host;
  const machine = host.machine({ pages: 2 * entries });
  const { answer, pages } = preFault(machine, 2 * entries);
  const answered = answer < 0 ? errnoName(-answer) : `${answer}`;
  const held = machine.held(0).map(({ offset }) => offset);
  if (pages <= entries) {
    expect(`pages in the ring, after ${answered}`, held, numbers(pages));
    return `it stopped after ${pages} pages: nothing was overwritten`;
  }
  // Push n is at index n modulo the size, so the last pushes overwrote the first.
  const lost = pages - entries;
  expect(`pages in the ring, after ${answered} for ${pages} pages`, held, [
    ...numbers(lost, entries),
    ...numbers(entries - lost, lost),
  ]);
  return new Known(
    `${pages} pages pre-faulted into a ring of ${entries} entries, and the answer is ${answered}: the entries of ` +
      `pages 0 to ${lost - 1} were overwritten`,
  );
}
