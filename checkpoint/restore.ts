import type { Kernel } from "../ffi/kernel.ts";
import type { CheckpointChain } from "./checkpoint_chain.ts";
import { BrokenFile, readPages, readState } from "./checkpoint_file.ts";
import type { InterruptWatch } from "../lab/interrupt.ts";
import { GuestVm } from "../lab/guest_vm.ts";
import { trackerOf } from "../machine/bitmap_tracker.ts";
import { checkLimits, fitting } from "./restore_limits.ts";
import { restorePlan } from "./restore_plan.ts";
import type { RestoreResult } from "./restore_result.ts";
import { RestoredRun } from "./restored_run.ts";
import { ValueError } from "../lab/usage_error.ts";
import { printable } from "../text/printable.ts";

/**
 * Makes a machine again from its checkpoints and runs it on: first memory and registers must agree, then each vCPU
 * finishes the pass of its list that it was in, then it makes another. Each time every page must hold exactly what
 * the stores made so far must have left there.
 *
 * @param kernel The kernel that answers: it need not be the one that ran the machine before.
 * @param chain The checkpoints.
 * @param interrupt Ends it early.
 * @returns What it came to, also where a vCPU failed meanwhile: `error` says how.
 * @throws {UsageError} Where the checkpoints are of a machine that this kernel, or the host's memory, cannot take.
 * @throws {HostError} Where the host has no usable KVM, or vCPUs cannot be started.
 * @throws {KernelError} Where the kernel refuses a call that makes the machine.
 */
export async function restore(
  kernel: Kernel,
  chain: CheckpointChain,
  interrupt: InterruptWatch,
): Promise<RestoreResult> {
  const { folder, files, skipped } = chain;
  const last = files[files.length - 1]!;
  checkLimits(kernel, last);
  const state = await fitting(last, () => unbroken(folder, () => readState(last)));
  const { header } = last;
  using vm = await fitting(last, () => {
    const plan = restorePlan(header, state.slot0, last.path);
    return new GuestVm(kernel, plan, trackerOf(header.tracking, plan.ringBytes));
  });
  vm.tracker.warm();
  const run = await fitting(last, () => new RestoredRun(vm, header.vcpus, interrupt));
  run.load(state);
  const memory = new Uint8Array(vm.memory.buffer, vm.memory.byteOffset, vm.memory.byteLength);
  for (const file of files) {
    await unbroken(folder, () => readPages(file, memory, (page) => run.counters.use(page)));
    await interrupt.pause();
  }
  if (interrupt.signal === null) await run.toEnd();
  const { problems, checks, error, withoutIopl } = run;
  return {
    schema: "dirtyring.restore/1",
    kernel: vm.kernel,
    lab: vm.plan.options,
    slots: vm.plan.slots,
    folder,
    from: header.kernel,
    tracking: header.tracking,
    epoch: header.epoch,
    files: files.length,
    skipped,
    pages: run.counters.pages,
    vcpus: header.vcpus.map(({ stores }, vcpu) => ({
      vcpu,
      storesBefore: stores,
      storesAfter: run.places[vcpu]!.stores,
    })),
    withoutIopl,
    checks,
    problems,
    ok: problems.length === 0 && checks.every(({ wrong }) => wrong.count === 0),
    error,
    interrupted: interrupt.signal,
  };
}

// A file that was whole a moment ago.
async function unbroken<T>(folder: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof BrokenFile)) throw error;
    const { message } = error;
    throw new ValueError(
      { restore: folder },
      () => `restore ${printable(folder)}: a file changed meanwhile: ${message}`,
    );
  }
}
