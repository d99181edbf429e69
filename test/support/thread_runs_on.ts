// A vCPU's thread that does not stand still when it is asked to, as on a kernel that runs a vCPU in spite of a signal.
// It ends when its program does without it.
import { openLibc } from "../../ffi/libc.ts";
import { SIGUSR1 } from "../../ffi/linux.ts";
import { signalSet } from "../../ffi/sigset.ts";
import * as control from "../../live/vcpu_control.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent<control.VcpuOrder>) => void) | null;
  close(): void;
}

// This file is only ever started as a Worker.
const scope = globalThis as unknown as WorkerScope;

scope.onmessage = ({ data: order }) => {
  const { words } = control.vcpuControl(order.control);
  const bell = new Int32Array(order.bell);
  const kernel = openLibc();
  kernel.sigmask(signalSet(SIGUSR1), null);
  words[control.TID] = kernel.gettid();
  Atomics.store(words, control.PHASE, control.HOLD);
  const { PHASE, RUN, RUNNING, QUIT } = control;
  for (;;) {
    const phase = Atomics.load(words, PHASE);
    if (phase === QUIT) break;
    if (phase === RUN) {
      Atomics.compareExchange(words, PHASE, RUN, RUNNING);
      Atomics.add(bell, 0, 1); // whoever waits may go on
      Atomics.notify(bell, 0);
    } else Atomics.wait(words, PHASE, phase);
  }
  scope.close();
};
