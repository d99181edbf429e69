// A vCPU's thread that closes itself while it holds the lock for resets.
import { RESET_LOCK, type VcpuOrder } from "../../drive/vcpu_control.ts";
import { workerScope } from "../../host/worker_scope.ts";
import { untilAsked } from "./vcpu_thread.ts";

const scope = workerScope<VcpuOrder>();

scope.onmessage = ({ data: order }) => {
  untilAsked(order);
  Atomics.store(new Int32Array(order.bell), RESET_LOCK, 1);
  scope.close();
};
