// The thread of lab/run_beside.ts: it is told a vCPU's file descriptor, runs the vCPU once, answers what
// KVM_RUN answered and ends. File descriptors belong to the process; libc is bound once more, as a
// binding belongs to its thread.
import { KVM_RUN } from "../ffi/kvm_ioctls.ts";
import { openLibc } from "../ffi/libc.ts";

/** What of a Worker's global scope is used here; the compiler's own declarations are a window's. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<number>) => void) | null;
  postMessage(answer: number): void;
  close(): void;
}

// The cast holds because this file is only ever started as a Worker.
const scope = globalThis as unknown as WorkerScope;

scope.onmessage = ({ data: fd }) => {
  scope.postMessage(openLibc().ioctl(fd, KVM_RUN, 0));
  scope.close();
};
