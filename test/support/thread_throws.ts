// A vCPU's thread that throws when it is told to run.
import type { VcpuOrder } from "../../drive/vcpu_control.ts";
import { workerScope } from "../../host/worker_scope.ts";
import { untilAsked } from "./vcpu_thread.ts";

workerScope<VcpuOrder>().onmessage = ({ data: order }) => {
  untilAsked(order);
  throw new Error("thrown on purpose");
};
