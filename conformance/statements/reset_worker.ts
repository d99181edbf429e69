// A thread of `concurrent_resets.ts`. For each order it waits at a gate with the other threads,
// calls KVM_RESET_DIRTY_RINGS once and reports the call. It binds libc itself, because a binding
// belongs to its thread.
import { KVM_RESET_DIRTY_RINGS } from "../../ffi/kvm_ioctls.ts";
import { openLibc } from "../../ffi/libc.ts";
import { workerScope } from "../../host/worker_scope.ts";
import { type ResetCall, resetCall, type ResetOrder } from "./reset_call.ts";

const scope = workerScope<ResetOrder, ResetCall>();
const libc = openLibc();

scope.onmessage = ({ data: { fd, gate, round } }) => {
  Atomics.add(gate, 1, 1);
  while (Atomics.load(gate, 0) < round) Atomics.wait(gate, 0, round - 1);
  scope.postMessage(resetCall(() => libc.ioctl(fd, KVM_RESET_DIRTY_RINGS, 0)));
};
