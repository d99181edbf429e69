// Wrong kernels: enabling, mapping and entries.
import * as ioctls from "../../ffi/kvm_ioctls.ts";
import { ModelVcpu } from "../../model/vcpu.ts";
import {
  answer,
  argumentWord,
  EINVAL,
  enable,
  flagsBefore,
  insight,
  isPowerOfTwo,
  lastPushed,
  method,
  mmap,
  type Mutation,
  PAGE,
  push,
  reset,
  rings,
} from "./mutate.ts";

/** The wrong kernels. */
export const CALL_MUTATIONS: readonly Mutation[] = [
  // discovering and enabling
  { name: "half the largest ring", rules: { largestRing: 524288 } },
  { name: "no acquire/release capability", rules: { hasAcquireRelease: false } },
  {
    name: "a bitmap beside the ring",
    wrap: answer(ioctls.KVM_CHECK_EXTENSION, (n, cap) => cap === 225 ? 1 : n),
  },
  {
    name: "enabling on /dev/kvm",
    wrap: (kernel) => {
      const systems = new Set<number>();
      return {
        ...kernel,
        open: (path, flags) => {
          const fd = kernel.open(path, flags);
          systems.add(fd);
          return fd;
        },
        ioctl: (fd, request, argument) => {
          const result = kernel.ioctl(fd, request, argument);
          return request === ioctls.KVM_ENABLE_CAP && systems.has(fd) && result === EINVAL
            ? 0
            : result;
        },
        close: (fd) => {
          systems.delete(fd);
          return kernel.close(fd);
        },
      };
    },
  },
  {
    name: "sizes count entries",
    patch: enable((vm, bytes, old) => bytes === 256 ? (vm.dirty_ring_size = 4096, 0) : old()),
  },
  {
    name: "sizes that are no power of two",
    patch: enable((_, bytes, old) => isPowerOfTwo(bytes) || bytes < PAGE ? old() : 0),
  },
  {
    name: "rings of 2048 bytes",
    patch: enable((_, bytes, old) => bytes === 2048 ? -7 : old()),
  },
  {
    name: "EINVAL for what is too big",
    patch: enable((_, __, old) => {
      const result = old();
      return result === -7 ? EINVAL : result;
    }),
  },
  {
    name: "all 64 bits of a size",
    patch: method("kvm_vm_ioctl_enable_dirty_log_ring", (old) =>
      function (bytes) {
        return bytes >= 2n ** 32n ? -7 : old.call(this, bytes);
      }),
  },
  {
    name: "a second enable",
    patch: enable((vm, _, old) => {
      const result = old();
      return result === EINVAL && vm.dirty_ring_size > 0 && vm.vcpus.length === 0 ? 0 : result;
    }),
  },
  {
    name: "enabling beside a vCPU",
    patch: enable((vm, bytes, old) => {
      const result = old();
      return result === EINVAL && vm.vcpus.length > 0 && isPowerOfTwo(bytes) ? 0 : result;
    }),
  },
  {
    name: "the vCPU rule before the size",
    patch: enable((vm, _, old) => vm.vcpus.length > 0 ? EINVAL : old()),
  },
  {
    name: "flags are looked at",
    wrap: answer(ioctls.KVM_ENABLE_CAP, (n, cap) => argumentWord(cap, 4) === 0 ? n : EINVAL),
  },
  {
    name: "no enabling beside a slot",
    patch: enable((vm, _, old) =>
      [...vm.slots.all].length > 0 && vm.vcpus.length === 0 ? EINVAL : old()
    ),
  },
  {
    name: "a slot logged before keeps to its bitmap",
    patch: push((_, { slot, page }, { ring }, old) => {
      if (slot.bitmap !== null && ring !== null) slot.bitmap[page] = 1;
      else old();
    }),
  },
  { name: "rings that never fail to be allocated", wrap: insight({ failNextAllocation() {} }) },
  { name: "63 reserved entries", rules: { reservedEntries: 63 } },
  {
    name: "small rings with PML",
    choice: { pml: true },
    patch: enable((vm, bytes, old) => bytes === 8192 && vm.dirty_ring_size === 0 ? -7 : old()),
  },
  // mapping
  {
    name: "the ring at page 65",
    wrap: mmap((next, length, protection, flags, fd, offset) =>
      next(length, protection, flags, fd, offset === 64 * PAGE ? 66 * PAGE : offset)
    ),
  },
  {
    name: "private mappings",
    wrap: mmap((next, length, protection, flags, fd, offset) =>
      next(length, protection, fd >= 0 && (flags & 2) !== 0 ? 1 : flags, fd, offset)
    ),
  },
  {
    name: "mappings for execution",
    wrap: mmap((next, length, protection, ...rest) => next(length, protection & ~4, ...rest)),
  },
  {
    name: "no read-only mapping",
    wrap: mmap((next, length, protection, ...rest) =>
      protection === 1 ? EINVAL : next(length, protection, ...rest)
    ),
  },
  {
    name: "no mapping of a part",
    wrap: mmap((next, length, protection, flags, fd, offset) =>
      offset === 65 * PAGE ? EINVAL : next(length, protection, flags, fd, offset)
    ),
  },
  {
    name: "no mapping beyond the ring",
    wrap: mmap((next, length, protection, flags, fd, offset) =>
      fd >= 0 && offset === 64 * PAGE && length > 16 * PAGE || length === 2 * PAGE
        ? EINVAL
        : next(length, protection, flags, fd, offset)
    ),
  },
  {
    name: "memory at page 64 with the ring off",
    patch: () => {
      const prototype = ModelVcpu.prototype;
      const old = prototype.backing;
      const bytes = new Uint8Array(1 << 20);
      prototype.backing = function (page) {
        return this.ring === null && page >= 64 ? { at: () => bytes } : old.call(this, page);
      };
      return () => prototype.backing = old;
    },
  },
  {
    name: "the ring in the mapping's size",
    wrap: answer(ioctls.KVM_GET_VCPU_MMAP_SIZE, (n) => n + PAGE * 64),
  },
  {
    name: "no mapping in another process",
    wrap: (kernel) => ({ ...kernel, storeElsewhere: () => -5 }),
  },
  // entries
  {
    name: "offsets of more than 31 bits",
    patch: push((_, __, vcpu, old) => {
      old();
      lastPushed(vcpu)[3] = 1;
    }),
  },
  {
    name: "entries pushed as harvested",
    patch: push((_, __, vcpu, old) => {
      old();
      lastPushed(vcpu)[0] = 3;
    }),
  },
  {
    name: "the slot's id one off",
    patch: push((_, __, vcpu, old) => {
      old();
      lastPushed(vcpu)[1]! += 1;
    }),
  },
  { name: "both bits needed for a reset", patch: flagsBefore((flags) => flags === 2 ? 0 : flags) },
  {
    name: "entries wiped by the reset",
    patch: reset((vm, old) => {
      const count = old();
      for (const { dirty_gfns, size, reset_index } of rings(vm)) {
        for (let n = 1; n <= count; n++) {
          const at = ((reset_index + size - n) % size) * 4;
          if (dirty_gfns[at] === 0) dirty_gfns.fill(0, at, at + 4);
        }
      }
      return count;
    }),
  },
  {
    name: "flags published first",
    wrap: (kernel) => ({
      ...kernel,
      insight: {
        ...kernel.insight!,
        watchPushes: (listener) =>
          kernel.insight!.watchPushes(
            listener &&
              ((step, fd, index) => listener(step === "slot" ? "flags" : "slot", fd, index)),
          ),
      },
    }),
  },
  {
    name: "slots of 2^31 pages",
    patch: method("kvm_set_memory_region", (old) =>
      function (request) {
        return request.memory_size === 2n ** 43n ? -17 : old.call(this, request);
      }),
  },
  {
    name: "a ring that skips its last entry",
    patch: push((_, __, { ring }, old) => {
      old();
      if (ring !== null && ring.dirty_index % ring.size === ring.size - 1) ring.dirty_index++;
    }),
  },
  {
    name: "an index in the mapping",
    patch: push((_, __, { ring }, old) => {
      old();
      if (ring !== null) ring.dirty_gfns[ring.dirty_gfns.length - 1] = ring.dirty_index;
    }),
  },
];
