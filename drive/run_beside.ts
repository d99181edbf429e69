// Runs a vCPU once beside other work: on a thread of its own, or in slices on a kernel in memory.
import { ERRNO, HostError } from "../ffi/errors.ts";
import { needThreads, threadFailure } from "../host/exhaustion.ts";
import type { Vcpu } from "../kvm/vcpu.ts";

/**
 * Instructions that a kernel in memory executes between two calls of `during`: about ten stores of
 * a guest.
 */
const SLICE = 60;

/**
 * Runs a vCPU once, and calls `during` again and again meanwhile. On a real kernel the vCPU runs on
 * a thread of its own; a kernel in memory runs it in slices, which makes the order reproducible.
 *
 * The vCPU must stop by itself, as a guest with a finite list does. A Worker inside `KVM_RUN`
 * cannot be terminated: that would hang the process. So this waits for `KVM_RUN` to return even if
 * `during` throws.
 *
 * @param vcpu The vCPU. Nobody else may use its file descriptor until the promise settles.
 * @param during Called again and again while the vCPU runs, and sometimes shortly before or after.
 * @returns What `KVM_RUN` returned: 0 with {@linkcode Vcpu.exitReason} set, or minus an errno.
 * @throws {HostError} If the thread cannot be started.
 * @throws {KernelError} If the thread cannot be started because file descriptors or threads have
 * run out.
 */
export async function runBeside(vcpu: Vcpu, during: () => void): Promise<number> {
  const { insight } = vcpu.kernel;
  if (insight === null) return await runOnThread(vcpu.fd, during);
  for (;;) {
    const answer = insight.runSlice(vcpu.fd, SLICE);
    if (answer !== -ERRNO.EAGAIN) return answer;
    during();
  }
}

async function runOnThread(fd: number, during: () => void): Promise<number> {
  const end: { answer?: number; error?: HostError } = {};
  const hasEnded = () => end.answer !== undefined || end.error !== undefined;
  const worker = startWorker();
  worker.onmessage = ({ data }: MessageEvent<number>) => end.answer = data;
  worker.onerror = (event) => {
    event.preventDefault(); // otherwise the error would end the process
    end.error = new HostError(
      `A thread for the vCPU: ${event.message}`,
      "run bin/dirtyring, or add --allow-read and --allow-ffi to deno run",
    );
  };
  worker.postMessage(fd);
  try {
    while (!hasEnded()) {
      during();
      await turn();
    }
  } finally {
    while (!hasEnded()) await turn();
    worker.terminate(); // KVM_RUN has returned, and the Worker is closing or has failed
  }
  if (end.error !== undefined) throw end.error;
  return end.answer!; // one of the two is set
}

function startWorker(): Worker {
  needThreads(1, "the vCPU's thread");
  try {
    return new Worker(new URL("./run_worker.ts", import.meta.url), { type: "module" });
  } catch (error) {
    throw threadFailure(error, "the vCPU");
  }
}

// Lets the event loop deliver the Worker's messages.
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
