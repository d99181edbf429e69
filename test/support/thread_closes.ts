// A vCPU's thread that closes itself as soon as it shall run, and tells nobody.
import type { VcpuOrder } from "../../live/vcpu_control.ts";
import { untilAsked, workerScope } from "./worker_scope.ts";

const scope = workerScope<VcpuOrder>();

scope.onmessage = ({ data: order }) => {
  untilAsked(order);
  scope.close();
};
