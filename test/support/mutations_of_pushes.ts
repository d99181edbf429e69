// Wrong kernels: pushes and harvests.
import { GuestMemory } from "../../model/guest_memory.ts";
import { slotMemory } from "../../model/slots.ts";
import {
  EINVAL,
  flagsBefore,
  lastPushed,
  method,
  type Mutation,
  PAGE,
  preFaultFewer,
  push,
  reset,
  rings,
} from "./mutate.ts";

// The PML buffer reaches the ring only after the fault that ended the run was handled.
function flushAfterFaults(): () => void {
  const { prototype } = GuestMemory;
  const { flushPml, handleFault } = prototype;
  const handled = new WeakSet<GuestMemory>();
  prototype.flushPml = function () {
    try {
      handleFault.call(this);
      handled.add(this);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // no fault ended this run
    }
    flushPml.call(this);
  };
  prototype.handleFault = function () {
    if (!handled.delete(this)) handleFault.call(this);
  };
  return () => Object.assign(prototype, { flushPml, handleFault });
}

/** The wrong kernels. */
export const PUSH_MUTATIONS: readonly Mutation[] = [
  // pushes
  {
    name: "every slot is logged",
    patch: push((_, { slot }, __, old) => {
      const { flags } = slot;
      if (slot.slot !== 0) slot.flags |= 1;
      old();
      slot.flags = flags;
    }),
  },
  {
    name: "the program's stores are logged",
    patch: reset((vm, old) => {
      const slot = vm.slots.get(1);
      const [vcpu] = vm.vcpus;
      if (slot !== undefined && vcpu !== undefined && slotMemory(vm.state.space, slot)[0]! > 100) {
        vm.mark_page_dirty_in_slot(slot, 0, vcpu);
      }
      return old();
    }),
  },
  { name: "one ring for all vCPUs", patch: push((vm, _, __, old) => old(vm.vcpus[0])) },
  {
    name: "every push twice",
    patch: push((_, __, ___, old) => {
      old();
      old();
    }),
  },
  { name: "nothing is re-protected", patch: method("kvm_reset_dirty_gfn", () => () => {}) },
  {
    name: "emulated stores push once",
    choice: { emulator: true },
    patch: push((_, { slot, page }, vcpu, old) => {
      const last = lastPushed(vcpu);
      if (last[0] === 1 && last[1] === slot.slot && last[2] === page) return;
      old();
    }),
  },
  {
    name: "the store before the push",
    patch: push((vm, { slot, page }, _, old) => {
      if (slot.slot === 1) slotMemory(vm.state.space, slot)[page * PAGE]! = page + 1;
      old();
    }),
  },
  {
    name: "loads that change memory",
    patch: push((vm, { slot, page }, _, old) => {
      if (slot.slot === 1) slotMemory(vm.state.space, slot)[page * PAGE + 1]! ^= 1;
      old();
    }),
  },
  { name: "no warning outside a vCPU", rules: { dropsWritesOutsideVcpu: false } },
  {
    name: "pre-faulting leaves the last page out",
    wrap: preFaultFewer((pages) => pages < 64 ? pages - 1 : pages),
  },
  {
    name: "a vCPU's ioctl writes unseen",
    patch: method("kvm_write_wall_clock", (old) =>
      function (address, vcpu) {
        const { dirty_index } = vcpu.ring!;
        old.call(this, address, vcpu);
        while (vcpu.ring!.dirty_index > dirty_index) {
          lastPushed(vcpu).fill(0);
          vcpu.ring!.dirty_index--;
        }
      }),
  },
  {
    name: "huge pages are pushed whole",
    patch: push((_, { slot, page }, vcpu, old) => {
      const isHuge = slot.npages === 512 && slot.base_gfn === 0x2000;
      old();
      if (isHuge && page % 512 !== 0) lastPushed(vcpu)[2] = 0;
    }),
  },
  {
    name: "a processor's buffer that is read backwards",
    choice: { pml: true },
    rules: { pmlInOrder: false },
  },
  { name: "a fault before the processor's buffer", choice: { pml: true }, patch: flushAfterFaults },
  // harvests
  {
    name: "a reset of whole rings alone",
    patch: reset((vm, old) => {
      const isWhole = rings(vm).every(({ dirty_gfns }) =>
        dirty_gfns.every((flags, n) => n % 4 !== 0 || flags !== 1)
      );
      return isWhole || vm.dirty_ring_size === 0 ? old() : 0;
    }),
  },
  { name: "a reset one short", patch: reset((_, old) => Math.max(old() - 1, EINVAL)) },
  { name: "a processor's buffer that is off", choice: { pml: true }, rules: { pmlEntries: 0 } },
  { name: "gaps are passed over", patch: flagsBefore((flags) => flags === 1 ? 3 : flags) },
  {
    name: "what lies behind a gap is forgotten",
    patch: reset((vm, old) => {
      const count = old();
      for (const { dirty_gfns } of rings(vm)) {
        for (let at = 0; at < dirty_gfns.length; at += 4) {
          if ((dirty_gfns[at]! & 2) !== 0) dirty_gfns[at] = 1;
        }
      }
      return count;
    }),
  },
  {
    name: "cleared entries are passed over",
    patch: flagsBefore((flags) => flags === 0 ? 2 : flags),
  },
];
