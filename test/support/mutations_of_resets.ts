// Wrong kernels: resets, full rings, slots and batches.
import * as ioctls from "../../ffi/kvm_ioctls.ts";
import type { MemorySlot } from "../../model/slots.ts";
import {
  answer,
  argumentWord,
  EINVAL,
  insight,
  ioctl,
  method,
  type Mutation,
  preFaultFewer,
  push,
  reset,
  rings,
} from "./mutate.ts";

const EAGAIN = -11;

// Pages that a reset protects while a vCPU runs become protected only after that has run another
// slice.
function keepsTranslations(): Mutation {
  let isRunning = false;
  let kept: (() => void)[] = [];
  return {
    name: "a running vCPU keeps its translations",
    patch: method("kvm_reset_dirty_gfn", (old) =>
      function (call) {
        if (isRunning) kept.push(() => old.call(this, call));
        else old.call(this, call);
      }),
    wrap: (kernel) => {
      isRunning = false; // each check has a kernel of its own
      kept = [];
      const { runSlice } = kernel.insight!;
      return insight({
        runSlice(fd, instructions) {
          const answer = runSlice(fd, instructions);
          isRunning = answer === EAGAIN;
          kept.splice(0).forEach((protect) => protect());
          return answer;
        },
      })(kernel);
    },
  };
}

/** The wrong kernels. */
export const RESET_MUTATIONS: readonly Mutation[] = [
  // resets
  {
    name: "the reset's argument is looked at",
    wrap: ioctl((next, fd, request, argument) =>
      request === ioctls.KVM_RESET_DIRTY_RINGS && argument !== 0
        ? EINVAL
        : next(fd, request, argument)
    ),
  },
  { name: "0 with the ring off", patch: reset((_, old) => Math.max(old(), 0)) },
  { name: "any process may reset", wrap: (kernel) => ({ ...kernel, ioctlElsewhere: () => 0 }) },
  {
    name: "a flush for every reset",
    patch: reset((vm, old) => {
      const count = old();
      if (count === 0) vm.remote_tlb_flush_requests++;
      return count;
    }),
  },
  keepsTranslations(),
  {
    name: "closed vCPUs are passed over",
    patch: reset((vm, old) => {
      const { vcpus } = vm;
      const all = [...vcpus];
      if (all.length > 1) vcpus.splice(0, 1);
      try {
        return old();
      } finally {
        vcpus.splice(0, vcpus.length, ...all);
      }
    }),
  },
  {
    name: "EINTR for a signal",
    wrap: (kernel) => {
      let isArmed = false;
      return {
        ...kernel,
        setitimer: (microseconds) => {
          isArmed = microseconds > 0;
          return kernel.setitimer(microseconds);
        },
        ioctl: (fd, request, argument) => {
          const result = kernel.ioctl(fd, request, argument);
          return request === ioctls.KVM_RESET_DIRTY_RINGS && isArmed ? -4 : result;
        },
      };
    },
  },
  {
    name: "every tenth batch is lost",
    patch: () => {
      // By VM, so that one check does not affect the next.
      const batches = new WeakMap<object, number>();
      return method("kvm_reset_dirty_gfn", (old) =>
        function (call) {
          const before = batches.get(this) ?? 0;
          batches.set(this, before + 1);
          if (before % 10 !== 9) old.call(this, call);
        })();
    },
  },
  { name: "no maximum for a reset", wrap: insight({ setResetMaximum() {} }) },
  {
    name: "large counts of other rings are cut",
    patch: reset((vm, old) => {
      const before = vm.vcpus[1]?.ring?.reset_index ?? 0;
      const count = old();
      const others = (vm.vcpus[1]?.ring?.reset_index ?? 0) - before;
      return count - Math.max(others - 1000, 0);
    }),
  },
  {
    name: "a log beside the ring",
    wrap: ioctl((next, ...call) => {
      const result = next(...call);
      return result === -6 ? 0 : result;
    }),
  },
  {
    name: "manual protection is refused",
    wrap: answer(ioctls.KVM_ENABLE_CAP, (n, cap) => argumentWord(cap, 0) === 168 ? EINVAL : n),
  },
  // full rings
  {
    name: "no vCPU is ever full",
    patch: push((_, __, vcpu, old) => (old(), vcpu.requestsFullExit = false)),
  },
  {
    name: "a signal before a full ring",
    wrap: (kernel) => {
      let isRaised = false;
      return {
        ...kernel,
        raise: (signal) => (isRaised = true, kernel.raise(signal)),
        sigtimedwait: (set) => (isRaised = false, kernel.sigtimedwait(set)),
        ioctl: (fd, request, argument) =>
          request === ioctls.KVM_RUN && isRaised ? -4 : kernel.ioctl(fd, request, argument),
      };
    },
  },
  {
    name: "a full ring stops the others",
    patch: push((vm, _, vcpu, old) => {
      old();
      if (vcpu.requestsFullExit) {
        for (const { ring } of vm.vcpus) ring!.dirty_index = vcpu.ring!.dirty_index;
      }
      if (vcpu.requestsFullExit) { for (const other of vm.vcpus) other.requestsFullExit = true; }
    }),
  },
  {
    name: "an overflow stores nothing and counts on",
    choice: { emulator: true },
    patch: push((_, __, { ring }, old) => {
      if (ring !== null && ring.dirty_index - ring.reset_index >= ring.size) {
        ring.dirty_gfns.fill(7);
      } else old();
    }),
  },
  {
    name: "pre-faulting stops at a full ring and says that it did not",
    wrap: preFaultFewer((pages) => Math.min(pages, 200)),
  },
  // slots
  {
    name: "a moved slot is not protected any more",
    patch: () => {
      const moved = new WeakSet<MemorySlot>();
      const undoMove = method("kvm_set_memory_region", (old) =>
        function (request) {
          const slot = this.slots.get(request.slot);
          const before = slot?.base_gfn;
          const result = old.call(this, request);
          if (slot !== undefined && slot.base_gfn !== before) moved.add(slot);
          return result;
        })();
      const undoReset = method("kvm_reset_dirty_gfn", (old) =>
        function (call) {
          const slot = this.slots.get(call.slot);
          if (slot === undefined || !moved.has(slot)) old.call(this, call);
        })();
      return () => {
        undoReset();
        undoMove();
      };
    },
  },
  {
    name: "a store to a read-only slot is pushed",
    patch: method("noteDevice", (old) =>
      function (gfn) {
        const slot = this.slots.find(gfn);
        if (slot === undefined) old.call(this, gfn);
        else this.mark_page_dirty_in_slot(slot, gfn - slot.base_gfn, this.vcpus[0]!);
      }),
  },
  {
    name: "guest_memfd slots that are logged",
    wrap: ioctl((next, fd, request, argument) => {
      const result = next(fd, request, argument);
      return request === ioctls.KVM_SET_USER_MEMORY_REGION2 ? 0 : result;
    }),
  },
  {
    name: "entries without a slot are not counted",
    patch: reset((vm, old) => {
      const count = old();
      const gone = vm.resetCalls.filter(({ slot, mask }) =>
        mask !== 0n && vm.slots.get(slot) === undefined
      );
      return count - gone.length;
    }),
  },
  {
    name: "a batch loses its last page alone",
    patch: method("kvm_reset_dirty_gfn", (old) =>
      function (call) {
        const slot = this.slots.get(call.slot);
        for (let bit = 0n; slot !== undefined && bit < 64n; bit++) {
          if (((call.mask >> bit) & 1n) === 0n || call.offset + bit >= BigInt(slot.npages)) {
            continue;
          }
          old.call(this, { ...call, offset: call.offset + bit, mask: 1n });
          this.resetCalls.pop();
        }
        this.resetCalls.push(call);
      }),
  },
  {
    name: "a deleted slot takes its entries along",
    patch: method("kvm_set_memory_region", (old) =>
      function (request) {
        if (request.memory_size === 0n) {
          for (const { dirty_gfns } of rings(this)) {
            for (let at = 0; at < dirty_gfns.length; at += 4) {
              if (dirty_gfns[at + 1] === request.slot) dirty_gfns[at] = 0;
            }
          }
        }
        return old.call(this, request);
      }),
  },
  {
    name: "logging off is ignored",
    patch: method("kvm_set_memory_region", (old) =>
      function (request) {
        const before = this.slots.get(request.slot)?.flags ?? 0;
        return old.call(this, { ...request, flags: request.flags | (before & 1) });
      }),
  },
  {
    name: "what was pushed counts, not what is read again",
    patch: () => {
      const pushed = new WeakMap<Uint32Array, Uint32Array<ArrayBuffer>>();
      const undoPush = push((_, __, vcpu, old) => {
        old();
        if (vcpu.ring === null) return;
        const words = vcpu.ring.dirty_gfns;
        const kept = pushed.get(words) ?? new Uint32Array(words.length);
        pushed.set(words, kept);
        const { dirty_index, size } = vcpu.ring;
        const at = ((dirty_index + size - 1) % size) * 4;
        kept.set(words.subarray(at, at + 4), at);
      })();
      const undoReset = reset((vm, old) => {
        for (const { dirty_gfns } of rings(vm)) {
          pushed.get(dirty_gfns)?.forEach((word, n) => {
            if (n % 4 !== 0 && dirty_gfns[n - n % 4] !== 0) dirty_gfns[n] = word;
          });
        }
        return old();
      })();
      return () => {
        undoReset();
        undoPush();
      };
    },
  },
  { name: "the bound wraps", choice: { version: "latest" }, rules: { boundCannotWrap: false } },
  // coalescing
  { name: "a window of 63 pages", rules: { maskBits: 63 } },
  {
    name: "a batch begins with an empty mask",
    patch: method("kvm_reset_dirty_gfn", (old) =>
      function (call) {
        old.call(this, call);
        this.resetCalls[this.resetCalls.length - 1] = { ...call, mask: call.mask & ~1n };
      }),
  },
  { name: "an empty first call", rules: { emptyFirstCall: true } },
  {
    name: "no empty first call, v5.11",
    choice: { version: "v5.11" },
    rules: { emptyFirstCall: false },
  },
  {
    name: "no empty first call, v6.10",
    choice: { version: "v6.10" },
    rules: { emptyFirstCall: false },
  },
];
