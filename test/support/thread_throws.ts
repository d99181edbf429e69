// A vCPU's thread that throws as soon as it shall run.
import type { VcpuOrder } from "../../live/vcpu_control.ts";
import { untilAsked, workerScope } from "./worker_scope.ts";

workerScope<VcpuOrder>().onmessage = ({ data: order }) => {
  untilAsked(order);
  throw new Error("thrown on purpose");
};
