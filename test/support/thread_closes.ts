// A vCPU's thread that closes itself as soon as it shall run, and tells nobody.
import type { VcpuOrder } from "../../drive/vcpu_control.ts";
import { workerScope } from "../../host/worker_scope.ts";
import { untilAsked } from "./vcpu_thread.ts";

const scope = workerScope<VcpuOrder>();

scope.onmessage = ({ data: order }) => {
  untilAsked(order);
  scope.close();
};
