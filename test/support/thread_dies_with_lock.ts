// A vCPU's thread that closes itself while it has the lock of resets.
import { RESET_LOCK, type VcpuOrder } from "../../live/vcpu_control.ts";
import { untilAsked, workerScope } from "./worker_scope.ts";

const scope = workerScope<VcpuOrder>();

scope.onmessage = ({ data: order }) => {
  untilAsked(order);
  Atomics.store(new Int32Array(order.bell), RESET_LOCK, 1);
  scope.close();
};
