import type { BackendSelection } from "../lab/backend.ts";
import { passesFor } from "../lab/blocks.ts";
import { checkpoint } from "../checkpoint/checkpoint.ts";
import { prepareFolder } from "../checkpoint/checkpoint_folder.ts";
import type { CheckpointOptions, CheckpointResult } from "../checkpoint/checkpoint_result.ts";
import { CheckpointWriter } from "../checkpoint/checkpoint_writer.ts";
import type { TrackingKind } from "../machine/dirty_tracker.ts";
import type { Epoch } from "../checkpoint/epoch.ts";
import { Interrupt } from "../lab/interrupt.ts";
import type { Watched } from "../lab/kernel_log.ts";
import { GuestVm } from "../lab/guest_vm.ts";
import { trackerOf } from "../machine/bitmap_tracker.ts";
import { UsageError } from "../lab/usage_error.ts";
import type { Context } from "../cli/command.ts";
import { type LabRequest, makePlan } from "./lab_options.ts";
import { watchKernel } from "./watch_kernel.ts";

/** What a command line asks for. */
export interface KeepRequest extends BackendSelection, Omit<LabRequest, "rounds" | "passes"> {
  /** How dirty pages are tracked. */
  readonly tracking: TrackingKind;
  /** Milliseconds of an epoch. */
  readonly interval: number;
  /** Dirty pages at which an epoch ends early. */
  readonly "max-dirty": number | undefined;
  /** Milliseconds to run. */
  readonly duration: number | undefined;
  /** Epochs. */
  readonly epochs: number | undefined;
  /** Stores to make. */
  readonly stores: number | undefined;
  /** A folder for files. */
  readonly output: string | undefined;
  /** How the result is written. */
  readonly format: "text" | "json" | "ndjson";
}

/** Milliseconds that it takes, unless something else is said to end it. */
const DURATION_MS = 1000;
/**
 * A vCPU's list is at least this long, so that it is seldom begun again. It is no longer, since every file holds
 * the lists.
 */
const LEAST_BLOCK = 1 << 11;

/**
 * `dirtyring checkpoint`.
 *
 * @param request What the command line asks for.
 * @param context What it may use.
 * @returns What it came to.
 * @throws {UsageError} Where options do not go together, or the folder cannot be used.
 */
export async function keepReplica(
  request: KeepRequest,
  context: Context,
): Promise<Watched<CheckpointResult>> {
  const { tracking, vcpus, output, duration, epochs = null, stores = null } = request;
  const maxDirty = request["max-dirty"] ?? null;
  if (maxDirty !== null && tracking !== "ring") {
    throw new UsageError(
      `--max-dirty ${maxDirty}: works with --tracking ring alone; with a ${tracking} nothing stops the ` +
        "guest before it is asked again",
    );
  }
  const plan = await makePlan({
    ...{ ...request, rounds: 1 },
    passes: (stores) => passesFor(stores, vcpus, LEAST_BLOCK),
  });
  const isEndless = epochs === null && stores === null;
  const options: CheckpointOptions = {
    ...{ intervalMs: request.interval, maxDirty, epochs, stores },
    durationMs: duration ?? (isEndless ? DURATION_MS : null),
    writer: output === undefined ? null : new CheckpointWriter(output),
  };
  const watch = (epoch: Epoch) => context.print([`${JSON.stringify(epoch)}\n`]);
  const isStreamed = request.format === "ndjson";
  const kernel = await context.openKernel(request);
  const result = await watchKernel(kernel, context.note, async () => {
    using vm = new GuestVm(kernel, plan, trackerOf(tracking, plan.ringBytes));
    if (output !== undefined) await prepareFolder(output);
    using interrupt = new Interrupt();
    return await checkpoint(vm, interrupt, isStreamed ? { ...options, watch } : options);
  });
  if (result.error !== null) context.note(result.error);
  return result;
}
