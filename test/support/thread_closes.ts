// A vCPU's thread that closes itself silently when it is told to run.
import type { VcpuOrder } from "../../drive/vcpu_control.ts";
import { workerScope } from "../../host/worker_scope.ts";
import { untilAsked } from "./vcpu_thread.ts";

const scope = workerScope<VcpuOrder>();

scope.onmessage = ({ data: order }) => {
  untilAsked(order);
  scope.close();
};
