// A vCPU's thread that does not stop when it is told to, as on a kernel that runs a vCPU in spite
// of a signal. It ends when it is told to quit.
import * as control from "../../drive/vcpu_control.ts";
import { openLibc } from "../../ffi/libc.ts";
import { SIGUSR1 } from "../../ffi/linux.ts";
import { signalSet } from "../../ffi/process.ts";
import { workerScope } from "../../host/worker_scope.ts";
import { standStill } from "./vcpu_thread.ts";

const scope = workerScope<control.VcpuOrder>();

scope.onmessage = ({ data: order }) => {
  const bell = new Int32Array(order.bell);
  openLibc().sigmask(signalSet(SIGUSR1), null);
  const words = standStill(order);
  const { PHASE, RUN, RUNNING, QUIT } = control;
  for (;;) {
    const phase = Atomics.load(words, PHASE);
    if (phase === QUIT) break;
    if (phase === RUN) {
      Atomics.compareExchange(words, PHASE, RUN, RUNNING);
      Atomics.add(bell, 0, 1); // wake up the waiting thread
      Atomics.notify(bell, 0);
    } else Atomics.wait(words, PHASE, phase);
  }
  scope.close();
};
