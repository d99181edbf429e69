import type { BackendSelection } from "../lab/backend.ts";
import { readChain, someOf } from "../checkpoint/checkpoint_chain.ts";
import { Interrupt } from "../lab/interrupt.ts";
import { restore } from "../checkpoint/restore.ts";
import type { RestoreResult } from "../checkpoint/restore_result.ts";
import type { Watched } from "../lab/kernel_log.ts";
import type { Context } from "../cli/command.ts";
import { watchKernel } from "./watch_kernel.ts";
import { printable } from "../text/printable.ts";

/** What a command line asks for. */
export interface RestoreRequest extends BackendSelection {
  /** The folder of the checkpoints. */
  readonly folder: string;
}

/** Files that are not used and named one by one; the result names them all. */
const NOTED = 3;

/**
 * `dirtyring restore`.
 *
 * @param request What the command line asks for.
 * @param context What it may use.
 * @returns What it came to.
 * @throws {UsageError} Where no checkpoint of the folder is whole.
 */
export async function restoreCheckpoint(
  request: RestoreRequest,
  context: Context,
): Promise<Watched<RestoreResult>> {
  const { folder } = request;
  const chain = await readChain(folder);
  const last = chain.files.at(-1)!.header.epoch; // a chain has a file at least
  for (const { file, reason } of chain.skipped.slice(0, NOTED)) {
    context.note(`${printable(`${folder}/${file}`)}: ${reason}; epoch ${last} is restored`);
  }
  const more = chain.skipped.length - NOTED;
  const named = printable(folder);
  if (more > 0) context.note(`${named}: ${more} more files are not used`);
  const { others } = chain;
  if (others.length > 0) {
    context.note(`${named}: passed over ${someOf(others)}: no checkpoint has such a name`);
  }
  const kernel = await context.openKernel(request);
  using interrupt = new Interrupt();
  const result = await watchKernel(
    kernel,
    context.note,
    () => restore(kernel, chain, interrupt),
  );
  if (result.error !== null) context.note(result.error);
  return result;
}
