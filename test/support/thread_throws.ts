// A vCPU's thread that throws as soon as it shall run.
import { openLibc } from "../../ffi/libc.ts";
import * as control from "../../live/vcpu_control.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent<control.VcpuOrder>) => void) | null;
}

// This file is only ever started as a Worker.
(globalThis as unknown as WorkerScope).onmessage = ({ data: order }) => {
  const { words } = control.vcpuControl(order.control);
  words[control.TID] = openLibc().gettid();
  Atomics.store(words, control.PHASE, control.HOLD);
  Atomics.wait(words, control.PHASE, control.HOLD);
  throw new Error("thrown on purpose");
};
