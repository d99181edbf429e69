import type { Kernel } from "../../ffi/kernel.ts";
import { KVM_RESET_DIRTY_RINGS, KVM_RUN } from "../../ffi/kvm_ioctls.ts";
import { kvm_run } from "../../ffi/kvm_structs.ts";

const RING_OFFSET = 64 * 4096;

/** What goes wrong. */
export type Fault =
  /** The ring loses the last entry that a run pushed, as in an overflow. */
  | "drops an entry"
  /** A reset answers one entry less than it reset. */
  | "resets too few"
  /** A vCPU reports a full ring, but its ring is empty. */
  | "is full without an entry"
  /** A vCPU exits with a reason that the guest never causes. */
  | "shuts down"
  /** A page is stored to after its reset, without an entry. */
  | "stores without an entry";

/** Adds one fault to a kernel, to prove that the code that checks its results can fail. */
export function faultyKernel(kernel: Kernel, fault: Fault, memory: () => Uint32Array): Kernel {
  let ring: Uint32Array | undefined;
  let run: DataView | undefined;
  let mapping: "ring" | "run" | "other" = "other";
  return {
    ...kernel,
    mmap(length, protection, flags, fd, offset) {
      mapping = fd === -1 ? "other" : offset === RING_OFFSET ? "ring" : "run";
      return kernel.mmap(length, protection, flags, fd, offset);
    },
    view(address, length) {
      const buffer = kernel.view(address, length);
      if (mapping === "ring") ring = new Uint32Array(buffer.buffer);
      if (mapping === "run") run = new DataView(buffer.buffer);
      return buffer;
    },
    ioctl(fd, request, argument) {
      if (request === KVM_RUN && fault === "is full without an entry") {
        run!.setUint32(kvm_run.at.exit_reason, 31, true);
        return 0;
      }
      const answer = kernel.ioctl(fd, request, argument);
      if (request === KVM_RUN && fault === "shuts down") {
        run!.setUint32(kvm_run.at.exit_reason, 8, true);
      }
      if (request === KVM_RUN && fault === "drops an entry") {
        let last = 0;
        while (ring![(last + 1) * 4] === 1) last++;
        ring![last * 4] = 0;
      }
      if (request === KVM_RESET_DIRTY_RINGS && answer > 0) {
        if (fault === "resets too few") return answer - 1;
        if (fault === "stores without an entry") queueMicrotask(() => memory()[0] = 0xffff);
      }
      return answer;
    },
  };
}
