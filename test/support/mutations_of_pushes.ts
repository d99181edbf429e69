// Wrong pushes and wrong treatment of harvests.
import { slotMemory } from "../../model/slots.ts";
import {
  EINVAL,
  flagsBefore,
  lastPushed,
  method,
  type Mutation,
  PAGE,
  push,
  reset,
  rings,
} from "./mutate.ts";

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
