// The thread of drive/run_beside.ts. It receives a vCPU's file descriptor, runs the vCPU once,
// answers what KVM_RUN returned, and ends. The file descriptor is valid here, since it belongs to
// the process; libc is bound once more, since a binding belongs to its thread.
import { KVM_RUN } from "../ffi/kvm_ioctls.ts";
import { openLibc } from "../ffi/libc.ts";
import { workerScope } from "../host/worker_scope.ts";

const scope = workerScope<number, number>();

scope.onmessage = ({ data: fd }) => {
  scope.postMessage(openLibc().ioctl(fd, KVM_RUN, 0));
  scope.close();
};
