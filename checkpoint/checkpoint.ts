import { nanoseconds } from "../ffi/nanoseconds.ts";
import type { CheckpointOptions, CheckpointResult } from "./checkpoint_result.ts";
import { CheckpointRun, type MachineHeader } from "./checkpoint_run.ts";
import type { InterruptWatch } from "../lab/interrupt.ts";
import type { GuestVm } from "../lab/guest_vm.ts";
import { quotas } from "../live/quotas.ts";
import { Replica } from "./replica.ts";
import { startVcpus } from "../live/start_vcpus.ts";

/**
 * Keeps a replica of a running guest, epoch by epoch, and at the end compares it with the guest.
 *
 * @param vm The VM, fresh.
 * @param interrupt Ends it early; what was gathered is answered.
 * @param options How it goes.
 * @returns What it came to, also where a vCPU or a file failed meanwhile: `error` says how.
 * @throws {HostError} Where vCPUs cannot be started.
 * @throws {KernelError} Where the replica cannot be mapped.
 */
export async function checkpoint(
  vm: GuestVm,
  interrupt: InterruptWatch,
  options: CheckpointOptions,
): Promise<CheckpointResult> {
  vm.tracker.warm();
  using replica = new Replica(vm);
  const { stores: most, thread } = options;
  await using vcpus = await startVcpus(vm, {
    quotas: quotas(vm.vcpus, most),
    ...(thread === undefined ? {} : { thread }),
  });
  const header = headerOf(vm);
  const run = new CheckpointRun({ vm, vcpus, replica, header, interrupt, options });
  await run.toEnd();
  const stores = vm.vcpus.reduce((sum, _, id) => sum + vcpus.placeOf(id).stores, 0);
  const differing = run.hasCopiedAll ? await replica.compare(interrupt) : null;
  const slot0Equal = replica.isSlot0Equal;
  const equal = differing === null ? null : differing.count === 0 && slot0Equal;
  const problems = run.cycle.problems.list;
  return {
    schema: "dirtyring.checkpoint/1",
    kernel: vm.kernel,
    lab: vm.plan.options,
    slots: vm.plan.slots,
    tracking: vm.tracker.kind,
    intervalNs: nanoseconds(options.intervalMs),
    maxDirty: options.maxDirty,
    elapsedNs: run.elapsedNs,
    epochCount: run.log.count,
    epochs: run.log.epochs,
    summary: run.log.summary,
    stores,
    output: options.writer?.written ?? null,
    differing: differing ?? { count: 0, pages: [] },
    slot0Equal,
    equal,
    problems,
    ok: problems.length === 0 && equal !== false,
    error: run.error,
    interrupted: interrupt.signal,
    closed: run.isClosed,
  };
}

function headerOf(vm: GuestVm): MachineHeader {
  const { backend, model, release, module } = vm.kernel;
  const { rounds: _rounds, ...lab } = vm.plan.options;
  const passes = vm.plan.sequence.length / lab.pages;
  const tracking = vm.tracker.kind;
  return { kernel: { backend, model, release, module }, tracking, lab: { ...lab, passes } };
}
