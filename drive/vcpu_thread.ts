// The thread of one vCPU. It receives its order in one message, then runs the vCPU whenever the
// harvester allows it, and stands still otherwise. After that message the two communicate only
// through drive/vcpu_control.ts.
import { checked, ERRNO, KernelError } from "../ffi/errors.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { KVM_EXIT_DIRTY_RING_FULL } from "../ffi/kvm_constants.ts";
import {
  KVM_RESET_DIRTY_RINGS,
  KVM_RUN,
  KVM_SET_REGS,
  KVM_SET_SIGNAL_MASK,
} from "../ffi/kvm_ioctls.ts";
import { kvm_dirty_gfn, kvm_regs, kvm_run } from "../ffi/kvm_structs.ts";
import { openLibc } from "../ffi/libc.ts";
import {
  nanoseconds,
  nanosecondsSince,
  SIGSET_BYTES,
  SIGUSR1,
  SYNCHRONOUS_SIGNALS,
} from "../ffi/linux.ts";
import { kvmSignalMask, signalSet } from "../ffi/process.ts";
import { workerScope } from "../host/worker_scope.ts";
import { Harvester, warmHarvest } from "../ring/harvest.ts";
import { HandOver } from "./hand_over.ts";
import { PassWalk } from "./live_vcpus.ts";
import * as control from "./vcpu_control.ts";
import { RESET_LOCK, type RingOrder } from "./vcpu_control.ts";

const scope = workerScope<control.VcpuOrder, "bye">();

scope.onmessage = async ({ data: order }) => {
  serve(await kernelFor(order), order);
  scope.postMessage("bye");
  scope.close();
};

// Loaded late: few runs are traced.
async function kernelFor({ tracing }: control.VcpuOrder): Promise<Kernel> {
  const libc = openLibc();
  if (tracing === null) return libc;
  const { tracedHere } = await import("../host/tracing.ts");
  return tracedHere(libc, tracing);
}

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
        continue; // a late signal, of a stop that is already over
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

  // KVM_SET_REGS may fail as KVM_RUN may, for instance on a dead VM.
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
  // Otherwise the harvester has given up on this thread in the meantime (QUIT).
  const { PHASE, STARTING, HOLD } = control;
  if (Atomics.compareExchange(words, PHASE, STARTING, HOLD) !== STARTING) return;
  for (;;) {
    const phase = Atomics.load(words, control.PHASE);
    if (phase === control.QUIT) return;
    if (phase === control.HOLD) Atomics.wait(words, control.PHASE, control.HOLD);
    // The harvester may withdraw RUN before this thread takes it.
    else if (take(words)) runOrFail();
  }
}

function take(words: Int32Array<SharedArrayBuffer>): boolean {
  const { PHASE, RUN, RUNNING } = control;
  return Atomics.compareExchange(words, PHASE, RUN, RUNNING) === RUN;
}

// Blocks all signals on this thread but those of a fault. Only KVM_RUN lets in SIGUSR1, so that one
// which comes a moment before KVM_RUN ends it all the same (api.rst, "KVM_SET_SIGNAL_MASK").
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

/**
 * Empties a full ring on its vCPU's own thread, without waking or waiting for another one: harvests
 * the ring, resets, and hands the entries over to the harvester, which reads their pages later.
 * This thread blocks all signals but those of faults, so none can interrupt the reset.
 *
 * It does not use the harvest cycle (`drive/harvest_cycle.ts`): this thread knows no more of the VM
 * than a file descriptor and the ring's memory, and it does half a cycle only. The harvester
 * compares the counts and reads the pages.
 */
class RingEmptier {
  readonly #kernel: Kernel;
  readonly #vmFd: number;
  readonly #lock: Int32Array<SharedArrayBuffer>;
  readonly #handOver: HandOver;
  readonly #harvester: Harvester;
  /** How long the vCPU stood still for the ring that was emptied last, in nanoseconds. */
  stopNs = 0;

  /**
   * Views the shared memory, and warms up the harvest so that it is compiled.
   *
   * @param kernel The kernel that answers on this thread.
   * @param lock The doorbell, which holds the reset lock.
   */
  constructor(kernel: Kernel, order: RingOrder, lock: Int32Array<SharedArrayBuffer>) {
    const { place: { address, bytes }, vmFd, handOver } = order;
    this.#kernel = kernel;
    this.#vmFd = vmFd;
    this.#lock = lock;
    this.#handOver = new HandOver(bytes / kvm_dirty_gfn.size, handOver);
    const { buffer, byteOffset } = kernel.view(address, bytes);
    this.#harvester = new Harvester(new Uint32Array(buffer, byteOffset, bytes / 4));
    warmHarvest();
  }

  /**
   * Empties the ring if that can be done at once. It cannot while somebody else resets, if there is
   * no room to hand entries over, or if the ring brings no entry: such a ring is left to the
   * harvester.
   *
   * @param since When the vCPU stopped, by `performance.now()`.
   * @returns Whether the vCPU can run on.
   */
  empty(since: number): boolean {
    if (!this.#handOver.hasRoom) return false;
    if (Atomics.compareExchange(this.#lock, RESET_LOCK, 0, 1) !== 0) return false;
    try {
      this.#harvester.seek(this.#handOver.fetchIndex);
      const entries = this.#harvester.take();
      if (entries.length === 0) return false;
      const harvested = performance.now();
      const reset = this.#kernel.ioctl(this.#vmFd, KVM_RESET_DIRTY_RINGS, 0);
      const done = performance.now();
      this.#handOver.fetchIndex = this.#harvester.fetchIndex;
      const harvestNs = nanoseconds(harvested - since);
      const resetNs = nanoseconds(done - harvested);
      this.stopNs = this.#handOver.put(entries, { reset, harvestNs, resetNs }, since);
      return reset === entries.length;
    } finally {
      Atomics.store(this.#lock, RESET_LOCK, 0);
    }
  }
}
