// Checks of slots that move, that are read-only for the guest, or whose memory is a guest_memfd.
import { checked, errnoName } from "../../ffi/errors.ts";
import {
  KVM_CAP_GUEST_MEMFD,
  KVM_CAP_READONLY_MEM,
  KVM_CAP_VM_TYPES,
  KVM_MEM_GUEST_MEMFD,
  KVM_MEM_LOG_DIRTY_PAGES,
  KVM_MEM_READONLY,
  KVM_X86_SW_PROTECTED_VM,
} from "../../ffi/kvm_constants.ts";
import {
  KVM_CHECK_EXTENSION,
  KVM_CREATE_GUEST_MEMFD,
  KVM_SET_USER_MEMORY_REGION2,
} from "../../ffi/kvm_ioctls.ts";
import { kvm_create_guest_memfd, kvm_userspace_memory_region2 } from "../../ffi/kvm_structs.ts";
import { PAGE_SIZE } from "../../ffi/linux.ts";
import { reader64 } from "../../guest/long64.ts";
import { Mapping } from "../../kvm/mapping.ts";
import type { Vm } from "../../kvm/vm.ts";
import type { Check } from "../kit/check.ts";
import type { CheckHost } from "../kit/check_host.ts";
import { ascending, CheckSkip, expect, MAIN, numbers, RING } from "../kit/expect.ts";
import { storeTo } from "../kit/forged.ts";

const MOVED_GFN = 0x8000;
const READ_ONLY = { gfn: 0x8000, pages: 16, flags: KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY };
const READ_ONLY_SLOT = 2;

// A VM whose slots may have a guest_memfd, and a guest_memfd of one page.
function protectedVm(host: CheckHost): { vm: Vm; memfd: number } {
  host.needs("6.8");
  const types = host.system.checkExtension(KVM_CAP_VM_TYPES);
  if ((types >> KVM_X86_SW_PROTECTED_VM & 1) === 0) {
    throw new CheckSkip(
      "this kernel makes no KVM_X86_SW_PROTECTED_VM, whose slots may have a guest_memfd",
    );
  }
  const vm = host.use(host.system.createVm(KVM_X86_SW_PROTECTED_VM));
  if (checked(vm.ioctl(KVM_CHECK_EXTENSION, KVM_CAP_GUEST_MEMFD), "KVM_CAP_GUEST_MEMFD") === 0) {
    throw new CheckSkip("needs KVM_CAP_GUEST_MEMFD");
  }
  const view = new DataView(new ArrayBuffer(kvm_create_guest_memfd.size));
  view.setBigUint64(kvm_create_guest_memfd.at.size, BigInt(PAGE_SIZE), true);
  const answer = vm.ioctl(KVM_CREATE_GUEST_MEMFD, new Uint8Array(view.buffer));
  const memfd = checked(answer, "KVM_CREATE_GUEST_MEMFD");
  host.use({ [Symbol.dispose]: () => void host.kernel.close(memfd) });
  return { vm, memfd };
}

function setRegion2(vm: Vm, slot: number, flags: number, memfd: number, address: number): string {
  const { at, size } = kvm_userspace_memory_region2;
  const view = new DataView(new ArrayBuffer(size));
  view.setUint32(at.slot, slot, true);
  view.setUint32(at.flags, flags, true);
  view.setBigUint64(at.guest_phys_addr, BigInt(slot * PAGE_SIZE), true);
  view.setBigUint64(at.memory_size, BigInt(PAGE_SIZE), true);
  view.setBigUint64(at.userspace_addr, BigInt(address), true);
  view.setUint32(at.guest_memfd, memfd, true);
  const answer = vm.ioctl(KVM_SET_USER_MEMORY_REGION2, new Uint8Array(view.buffer));
  return answer < 0 ? errnoName(-answer) : `${answer}`;
}

/** `slot.moved`, `slot.read-only` and `slot.gmem-no-log`, statements on slots. */
export const SLOT_KIND_CHECKS: readonly Check[] = [
  {
    id: "slot.moved",
    statement:
      "an entry goes by slot and offset: once the slot has moved it resets the page at the new place",
    source: RING,
    where: "live",
    run(host) {
      const machine = host.machine();
      storeTo(machine, [machine.gfn + 3, machine.gfn + 500]);
      expect("entries harvested", machine.harvest(0), 2);
      expect("the slot moved", machine.setSlot(1, { gfn: MOVED_GFN, pages: 1024 }), 0);
      // Neither page is mapped at the new place yet, so stores to them push.
      const moved = [MOVED_GFN + 3, MOVED_GFN + 4];
      storeTo(machine, moved);
      storeTo(machine, moved);
      expect("pages pushed at the new place", ascending(machine.dirty(0)), [3, 4]);
      expect("entries reset", machine.reset(), 2);
      storeTo(machine, moved);
      expect("pages pushed, 3 again", ascending(machine.dirty(0)), [3, 3, 4]);
    },
  },
  {
    id: "slot.read-only",
    statement: "a read-only slot pushes nothing: its stores are KVM_EXIT_MMIO",
    source: MAIN,
    where: "live",
    run(host) {
      if (host.system.checkExtension(KVM_CAP_READONLY_MEM) === 0) {
        throw new CheckSkip("needs KVM_CAP_READONLY_MEM");
      }
      const machine = host.machine();
      expect("the read-only slot", machine.setSlot(READ_ONLY_SLOT, READ_ONLY), 0);
      const exit = machine.store(0, [READ_ONLY.gfn + 5, machine.gfn + 6]);
      expect("exit of a store to it", exit, "KVM_EXIT_MMIO");
      expect("exit of the store behind it", machine.resume(0), machine.guest.exit);
      expect("words stored", [machine.word(5), machine.word(6)], [0, 2]);
      expect("slots in the ring", machine.held(0).map(({ slot }) => slot), [1]);

      const reader = host.machine({ guest: reader64 });
      expect("the read-only slot", reader.setSlot(READ_ONLY_SLOT, READ_ONLY), 0);
      storeTo(reader, numbers(READ_ONLY.pages, READ_ONLY.gfn)); // this guest only loads
      expect("entries after loads from it", reader.held(0).length, 0);
    },
  },
  {
    id: "slot.gmem-no-log",
    statement: "a guest_memfd slot with KVM_MEM_LOG_DIRTY_PAGES is EINVAL",
    source: `${MAIN}, v6.8`,
    where: "live",
    run(host) {
      const { vm, memfd } = protectedVm(host);
      const { address } = host.use(Mapping.anonymous(host.kernel, PAGE_SIZE, "shared memory"));
      const set = (slot: number, flags: number) => setRegion2(vm, slot, flags, memfd, address);
      const both = KVM_MEM_GUEST_MEMFD | KVM_MEM_LOG_DIRTY_PAGES;
      expect("a slot with a guest_memfd and the log flag", set(1, both), "EINVAL");
      expect("one with a guest_memfd alone", set(1, KVM_MEM_GUEST_MEMFD), "0");
      expect("one with the log flag alone", set(2, KVM_MEM_LOG_DIRTY_PAGES), "0");
    },
  },
];
