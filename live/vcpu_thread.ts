// The thread of one vCPU: it is told what to do in one message, then runs the vCPU whenever the harvester
// lets it, and stands still otherwise. Between the two it talks through live/vcpu_control.ts alone.
import { ERRNO } from "../ffi/errno.ts";
import { KVM_EXIT_DIRTY_RING_FULL } from "../ffi/kvm_constants.ts";
import { KVM_RUN, KVM_SET_REGS, KVM_SET_SIGNAL_MASK } from "../ffi/kvm_ioctls.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { checked, KernelError } from "../ffi/kernel_error.ts";
import { kvm_regs, kvm_run } from "../ffi/kvm_structs.ts";
import { openLibc } from "../ffi/libc.ts";
import { SIGSET_BYTES, SIGUSR1, SYNCHRONOUS_SIGNALS } from "../ffi/linux.ts";
import { nanosecondsSince } from "../ffi/nanoseconds.ts";
import { kvmSignalMask, signalSet } from "../ffi/sigset.ts";
import { workerScope } from "../lab/worker_scope.ts";
import { PassWalk } from "./pass_walk.ts";
import { RingEmptier } from "./ring_emptier.ts";
import * as control from "./vcpu_control.ts";

const scope = workerScope<control.VcpuOrder, "bye">();

scope.onmessage = ({ data: order }) => {
  serve(openLibc(), order);
  scope.postMessage("bye");
  scope.close();
};

const KICK = signalSet(SIGUSR1);

function serve(kernel: Kernel, order: control.VcpuOrder): void {
  const { words, numbers } = control.vcpuControl(order.control);
  const bell = new Int32Array(order.bell);
  const walk = new PassWalk(order.quest);
  const { buffer, byteOffset } = kernel.view(order.run.address, order.run.bytes);
  const runPage = new DataView(buffer, byteOffset, order.run.bytes);
  const registers = order.registers;
  const registersView = new DataView(registers.buffer, registers.byteOffset);
  const emptier = order.ring === null ? null : new RingEmptier(kernel, order.ring, bell);
  let isDone = false;
  let fullSince = -1;

  const beginPass = (): void => {
    isDone = !walk.next();
    numbers[control.FINISHED] = walk.finished;
    numbers[control.VALUE] = walk.value;
    numbers[control.PASS] = walk.stores;
    if (isDone) return;
    registersView.setBigUint64(kvm_regs.at.rcx, BigInt(walk.stores), true);
    registersView.setBigUint64(kvm_regs.at.rbx, BigInt(walk.value), true);
    checked(kernel.ioctl(order.fd, KVM_SET_REGS, registers), "KVM_SET_REGS");
  };
  const stand = (why: number, detail = 0): void => {
    words[control.STOP] = why;
    words[control.DETAIL] = detail;
    Atomics.store(words, control.PHASE, control.HOLD);
    Atomics.add(bell, 0, 1);
    Atomics.notify(bell, 0);
  };
  // Runs until the vCPU has to stand still.
  const run = (): void => {
    if (isDone) return stand(control.STOP_DONE);
    if (fullSince >= 0) {
      const ns = nanosecondsSince(fullSince);
      control.countFullStop(numbers, ns, "resumed");
      fullSince = -1;
    }
    for (;;) {
      const answer = kernel.ioctl(order.fd, KVM_RUN, 0);
      if (answer === -ERRNO.EINTR) {
        kernel.sigtimedwait(KICK);
        if (Atomics.load(words, control.PHASE) === control.STOPPING) {
          return stand(control.STOP_ASKED);
        }
        continue; // a signal that came late, for a stop that was over
      }
      if (answer !== 0) return stand(control.STOP_ERRNO, -answer);
      const reason = runPage.getUint32(kvm_run.at.exit_reason, true);
      if (reason === KVM_EXIT_DIRTY_RING_FULL) {
        fullSince = performance.now();
        if (emptier?.empty(fullSince) !== true) return stand(control.STOP_FULL);
        control.countFullStop(numbers, emptier.stopNs, "by its thread");
        fullSince = -1;
        continue;
      }
      if (reason !== order.end) return stand(control.STOP_EXIT, reason);
      beginPass();
      if (isDone) return stand(control.STOP_DONE);
    }
  };

  // Of a VM that is dead, say: KVM_SET_REGS fails as KVM_RUN does.
  const runOrFail = (): void => {
    try {
      run();
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      stand(control.STOP_ERRNO, error.errno);
    }
  };

  blockSignals(kernel, order.fd);
  if (order.quest.place === null) beginPass();
  else {
    numbers[control.FINISHED] = walk.finished;
    numbers[control.VALUE] = walk.value;
    numbers[control.PASS] = walk.stores;
  }
  words[control.TID] = kernel.gettid();
  // Nobody may want it any more.
  const { PHASE, STARTING, HOLD } = control;
  if (Atomics.compareExchange(words, PHASE, STARTING, HOLD) !== STARTING) return;
  for (;;) {
    const phase = Atomics.load(words, control.PHASE);
    if (phase === control.QUIT) return;
    if (phase === control.HOLD) Atomics.wait(words, control.PHASE, control.HOLD);
    // The harvester may take it back before it is begun.
    else if (take(words)) runOrFail();
  }
}

function take(words: Int32Array<SharedArrayBuffer>): boolean {
  const { PHASE, RUN, RUNNING } = control;
  return Atomics.compareExchange(words, PHASE, RUN, RUNNING) === RUN;
}

// All signals but those of a fault stay away from this thread; SIGUSR1 is let in by KVM_RUN alone, so that
// one which comes a moment before KVM_RUN ends it all the same (api.rst, "KVM_SET_SIGNAL_MASK").
function blockSignals(kernel: Kernel, fd: number): void {
  const blocked = new Uint8Array(SIGSET_BYTES).fill(0xff);
  const faults = signalSet(...SYNCHRONOUS_SIGNALS);
  for (let n = 0; n < blocked.length; n++) blocked[n]! &= ~faults[n]!;
  checked(kernel.sigmask(blocked, null), "pthread_sigmask");
  const whileRunning = blocked.map((byte, n) => byte & ~KICK[n]!);
  checked(
    kernel.ioctl(fd, KVM_SET_SIGNAL_MASK, kvmSignalMask(whileRunning)),
    "KVM_SET_SIGNAL_MASK",
  );
}
