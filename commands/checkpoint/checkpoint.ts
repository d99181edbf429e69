import { prepareFolder } from "../../checkpoint/checkpoint_file.ts";
import { CheckpointWriter } from "../../checkpoint/checkpoint_writer.ts";
import type { Context, Outlet } from "../../cli/context.ts";
import { quotas } from "../../drive/live_vcpus.ts";
import { startVcpus } from "../../drive/start_vcpus.ts";
import { nanoseconds } from "../../ffi/linux.ts";
import type { BackendSelection } from "../../host/backend.ts";
import { UsageError } from "../../host/errors.ts";
import type { InterruptWatch } from "../../host/interrupt.ts";
import type { Watched } from "../../host/kernel_log.ts";
import { trackerOf } from "../../machine/bitmap_tracker.ts";
import type { TrackingKind } from "../../machine/dirty_tracker.ts";
import { GuestVm } from "../../machine/guest_vm.ts";
import { passesFor } from "../../machine/plan.ts";
import { type LabRequest, makePlan } from "../lab_options.ts";
import { watchKernel } from "../watch_kernel.ts";
import { CLOCKED } from "./command.ts";
import type { CheckpointOptions, CheckpointResult, Epoch } from "./checkpoint_result.ts";
import { CheckpointRun, type MachineHeader } from "./checkpoint_run.ts";
import { Replica } from "./replica.ts";

/** What a command line asks for. */
export interface KeepRequest extends BackendSelection, Omit<LabRequest, "rounds" | "passes"> {
  /** How dirty pages are tracked. */
  readonly tracking: TrackingKind;
  /** Length of an epoch in milliseconds. */
  readonly interval: number;
  /** Number of dirty pages that ends an epoch early. */
  readonly "max-dirty": number | undefined;
  /** How long to run, in milliseconds. */
  readonly duration: number | undefined;
  /** How many epochs to run. */
  readonly epochs: number | undefined;
  /** How many stores to make. */
  readonly stores: number | undefined;
  /** The folder for the files, if any are to be written. */
  readonly into: string | undefined;
}

/** How long to run by default, in milliseconds, if neither epochs nor stores are given. */
const DURATION_MS = 1000;
/**
 * The least length of a vCPU's list, so that the vCPU does not start over too often. Not longer,
 * because every file holds the lists.
 */
const LEAST_BLOCK = 1 << 11;

/**
 * Runs `dirtyring checkpoint`.
 *
 * @throws {UsageError} If options contradict each other, or the folder cannot be used.
 */
export async function keepReplica(
  request: KeepRequest,
  context: Context,
): Promise<Watched<CheckpointResult>> {
  const { tracking, vcpus, into, duration, epochs = null, stores = null } = request;
  const maxDirty = request["max-dirty"] ?? null;
  if (maxDirty !== null && tracking !== "ring") {
    throw new UsageError(
      `--max-dirty ${maxDirty}: works with --tracking ring alone; with a ${tracking} nothing stops the ` +
        "guest before it is asked again",
    );
  }
  const plan = await makePlan({
    ...request,
    rounds: 1,
    passes: (stores) => passesFor(stores, vcpus, LEAST_BLOCK),
  });
  const isEndless = epochs === null && stores === null;
  const options: CheckpointOptions = {
    intervalMs: request.interval,
    maxDirty,
    epochs,
    stores,
    durationMs: duration ?? (isEndless ? DURATION_MS : null),
    writer: into === undefined ? null : new CheckpointWriter(into),
  };
  const streamed = context.outlets.filter(({ format }) => format === "ndjson");
  const watch = streamed.length === 0 ? null : await epochLines(streamed);
  const kernel = await context.openKernel(request);
  const result = await watchKernel(kernel, context.note, async () => {
    using vm = new GuestVm(kernel, plan, trackerOf(tracking, plan.ringBytes));
    if (into !== undefined) await prepareFolder(into);
    using interrupt = await context.listen();
    return await checkpoint(vm, interrupt, watch === null ? options : { ...options, watch });
  });
  if (result.error !== null) context.note(result.error);
  return result;
}

// Prints epochs as they end, a line of JSON each. Loaded late: few runs are streamed.
async function epochLines(outlets: readonly Outlet[]): Promise<(epoch: Epoch) => boolean> {
  const { recorded } = await import("../../report/record.ts");
  return (epoch) =>
    outlets.every(({ page, print }) =>
      print([`${JSON.stringify(recorded(epoch, page, CLOCKED))}\n`])
    );
}

/**
 * Keeps a replica of a running guest, epoch by epoch, and compares it with the guest at the end.
 *
 * @param vm The VM, fresh.
 * @param interrupt Ends the run early; the result then covers what was gathered.
 * @returns The result, even if a vCPU or a file failed on the way: see its `error`.
 * @throws {HostError} If vCPUs cannot be started.
 * @throws {KernelError} If the replica cannot be mapped.
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
