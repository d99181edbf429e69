import type { Context } from "../../cli/context.ts";
import { askMachines } from "../../cli/compare_machines.ts";
import { MachineFiles } from "../../cli/machine_files.ts";
import type { MachineRequest } from "../../cli/machine_request.ts";
import type { Option } from "../../cli/option.ts";
import {
  fuzz,
  type FuzzKernels,
  fuzzKernels,
  type FuzzResult,
  replay,
} from "../../conformance/fuzz/fuzz.ts";
import { modelLike } from "../../conformance/fuzz/kernel.ts";
import { parseProgram } from "../../conformance/fuzz/program.ts";
import { KernelError } from "../../ffi/errors.ts";
import type { ModelChoice } from "../../host/backend.ts";
import { fileErrorText, fileShortage, UsageError } from "../../host/errors.ts";
import { readHostFile } from "../../host/files.ts";
import type { Watched } from "../../host/kernel_log.ts";
import { printable } from "../../text/printable.ts";
import { watchKernel } from "../watch_kernel.ts";
import { PROGRAMS, SEED } from "./command.ts";

/**
 * The most bytes that are read of a script: enough for two thousand operations with the most stores
 * each.
 */
const MOST_SCRIPT = 1 << 24;

/** What a command line asks for. */
export interface FuzzRequest {
  /** The model to compare with; by default one of the kernel's version. */
  readonly model: ModelChoice | undefined;
  /** How many programs to run. */
  readonly programs: number | undefined;
  /** The file that holds a single program to run instead. */
  readonly file: string | undefined;
  /** The seed of the programs. */
  readonly seed: number | undefined;
}

/**
 * Runs the programs that a command line asks for on a real kernel and on the model.
 *
 * @throws {UsageError} If options contradict each other, a file cannot be read, or its program is
 * wrong.
 * @throws {HostError} If the host has no usable KVM, or no dirty ring.
 * @throws {KernelError} If a kernel fails a call that is needed.
 */
export async function runFuzz(
  request: FuzzRequest,
  context: Context,
): Promise<Watched<FuzzResult>> {
  const { programs = PROGRAMS, file, seed = SEED } = request;
  refuse(request);
  const program = file === undefined ? null : parseProgram(readScript(file));
  const real = await context.openKernel({ backend: "kvm", model: undefined });
  const choice = request.model ?? modelLike(real);
  const model = await context.openKernel({ backend: "model", model: choice });
  using interrupt = await context.listen();
  return await watchKernel(
    real,
    context.note,
    () =>
      program === null
        ? fuzz(real, model, { programs, seed }, interrupt)
        : replay(real, model, program, interrupt),
  );
}

// The decoder skips a byte-order mark at the beginning.
function readScript(file: string): string {
  try {
    return new TextDecoder().decode(
      readHostFile(file === "-" ? null : file, { most: MOST_SCRIPT }),
    );
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    const what = `--file ${printable(file)}`;
    throw fileShortage(what, error) ?? new UsageError(
      `${what}: ${fileErrorText(error)}; expected a script that fuzz printed`,
    );
  }
}

function refuse({ programs, file, seed }: FuzzRequest): void {
  if (file === undefined) return;
  if (programs !== undefined) {
    throw new UsageError(`fuzz ${programs}: does not go with --file, which is one program`);
  }
  if (seed !== undefined) {
    throw new UsageError(`--seed ${seed}: does not go with --file, which is one program`);
  }
}

/**
 * Runs `dirtyring fuzz` on several kernels, as many at a time as there are processors.
 *
 * @param request The machines and the command line.
 * @param file The script that each is to run, if one was given.
 * @param option The option that names the script.
 * @throws {KernelFileError} If a kernel, or its modules, cannot be found.
 * @throws {HostError} If there is no emulator for one of them.
 */
export async function fuzzInMachines(
  request: MachineRequest,
  file: string | undefined,
  option: Option<string | undefined>,
  context: Context,
): Promise<FuzzKernels> {
  const command = { name: "fuzz", options: { file: option }, operands: {} };
  const files = await MachineFiles.of({ file }, command);
  const beside = Math.max(1, navigator.hardwareConcurrency);
  const { runs, signal } = await askMachines<Watched<FuzzResult>>(request, files, beside, context);
  return fuzzKernels(runs, signal);
}
