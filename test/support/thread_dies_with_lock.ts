// A vCPU's thread that closes itself while it has the lock of resets.
import { openLibc } from "../../ffi/libc.ts";
import * as control from "../../live/vcpu_control.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent<control.VcpuOrder>) => void) | null;
  close(): void;
}

// This file is only ever started as a Worker.
const scope = globalThis as unknown as WorkerScope;

scope.onmessage = ({ data: order }) => {
  const { words } = control.vcpuControl(order.control);
  words[control.TID] = openLibc().gettid();
  Atomics.store(words, control.PHASE, control.HOLD);
  Atomics.wait(words, control.PHASE, control.HOLD);
  Atomics.store(new Int32Array(order.bell), control.RESET_LOCK, 1);
  scope.close();
};
