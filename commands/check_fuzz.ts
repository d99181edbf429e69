import { fuzz, replay } from "../checks/fuzz.ts";
import { modelLike } from "../checks/fuzz_model.ts";
import type { FuzzResult } from "../checks/fuzz_result.ts";
import { parseProgram } from "../checks/fuzz_script.ts";
import { KernelError } from "../ffi/kernel_error.ts";
import type { Backend } from "../lab/backend.ts";
import { fileErrorText, fileShortage } from "../lab/file_error.ts";
import { readHostFile } from "../lab/host_files.ts";
import { Interrupt } from "../lab/interrupt.ts";
import type { Watched } from "../lab/kernel_log.ts";
import type { ModelChoice } from "../lab/model_choice.ts";
import { UsageError } from "../lab/usage_error.ts";
import { printable } from "../text/printable.ts";
import type { Context } from "./command.ts";
import { watchKernel } from "./watch_kernel.ts";

/** The seed where none is given: without one, a run could not be repeated. */
const SEED = 1;

/** Bytes that are read of a script at most: two thousand operations with as many stores as one may have. */
const MOST_SCRIPT = 1 << 24;

/** The options of `dirtyring check` that say what is to be fuzzed, and those that then mean nothing. */
export interface FuzzRequest {
  /** Which kernel answers. */
  readonly backend: Backend;
  /** The model that it is held against; by default one of the kernel's version. */
  readonly model: ModelChoice | undefined;
  /** Programs. */
  readonly fuzz: number | undefined;
  /** The file that holds a program. */
  readonly "fuzz-file": string | undefined;
  /** The seed. */
  readonly seed: number | undefined;
  /** The format of the result. */
  readonly format: string;
  /** Not with these, which choose and repeat checks. */
  readonly only: readonly string[];
  /** As `only`. */
  readonly skip: readonly string[];
  /** As `only`. */
  readonly list: boolean;
  /** As `only`. */
  readonly repeat: number;
}

/**
 * Runs the programs that a command line asks for on a real kernel and on the model.
 *
 * @param request Its options.
 * @param context What it may use.
 * @returns What was compared.
 * @throws {UsageError} Where its options do not go together, a file cannot be read, or the program in it is wrong.
 * @throws {HostError} Where the host has no usable KVM, or no dirty ring.
 * @throws {KernelError} Where a kernel fails a call that is needed.
 */
export async function fuzzAskedFor(
  request: FuzzRequest,
  context: Context,
): Promise<Watched<FuzzResult>> {
  const { fuzz: programs, "fuzz-file": file, seed } = request;
  refuse(request);
  const program = file === undefined ? null : parseProgram(readScript(file));
  const real = await context.openKernel({ backend: "kvm", model: undefined });
  const choice = request.model ?? modelLike(real);
  const model = await context.openKernel({ backend: "model", model: choice });
  using interrupt = new Interrupt();
  return await watchKernel(
    real,
    context.note,
    () =>
      program === null
        ? fuzz(real, model, { programs: programs ?? 0, seed: seed ?? SEED }, interrupt)
        : replay(real, model, program, interrupt),
  );
}

// The decoder passes over a byte-order mark at the beginning.
function readScript(file: string): string {
  try {
    return new TextDecoder().decode(readHostFile(file === "-" ? null : file, MOST_SCRIPT));
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    const what = `--fuzz-file ${printable(file)}`;
    throw fileShortage(what, error) ?? new UsageError(
      `${what}: ${fileErrorText(error)}; expected a script that check --fuzz printed`,
    );
  }
}

function refuse(request: FuzzRequest): void {
  const option = request.fuzz === undefined ? "--fuzz-file" : "--fuzz";
  const { backend, format } = request;
  if (backend !== "kvm") {
    throw new UsageError(
      `${option}: holds /dev/kvm against the model; works with --backend kvm, not with ${backend}`,
    );
  }
  if (format !== "text" && format !== "json") {
    throw new UsageError(`${option}: works with --format text or json, not with ${format}`);
  }
  const others = [
    ["--fuzz-file", request.fuzz !== undefined && request["fuzz-file"] !== undefined],
    ["--seed", request.fuzz === undefined && request.seed !== undefined],
    ["--only", request.only.length > 0],
    ["--skip", request.skip.length > 0],
    ["--list", request.list],
    ["--repeat", request.repeat !== 1],
  ] as const;
  const other = others.find(([, isGiven]) => isGiven);
  if (other !== undefined) throw new UsageError(`${option}: does not go with ${other[0]}`);
}
