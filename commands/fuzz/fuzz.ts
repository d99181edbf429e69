import type { Context } from "../../cli/command.ts";
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
import { readHostFile } from "../../host/facts.ts";
import { Interrupt } from "../../host/interrupt.ts";
import type { Watched } from "../../host/kernel_log.ts";
import { printable } from "../../text/printable.ts";
import { watchKernel } from "../watch_kernel.ts";
import { PROGRAMS, SEED } from "./command.ts";

/** Bytes that are read of a script at most: two thousand operations with as many stores as one may have. */
const MOST_SCRIPT = 1 << 24;

/** What a command line asks for. */
export interface FuzzRequest {
  /** The model that it is held against; by default one of the kernel's version. */
  readonly model: ModelChoice | undefined;
  /** Programs. */
  readonly programs: number | undefined;
  /** The file that holds a program. */
  readonly file: string | undefined;
  /** The seed. */
  readonly seed: number | undefined;
}

/**
 * Runs the programs that a command line asks for on a real kernel and on the model.
 *
 * @param request Its options.
 * @returns What was compared.
 * @throws {UsageError} Where its options do not go together, a file cannot be read, or the program in it is wrong.
 * @throws {HostError} Where the host has no usable KVM, or no dirty ring.
 * @throws {KernelError} Where a kernel fails a call that is needed.
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
  using interrupt = new Interrupt();
  return await watchKernel(
    real,
    context.note,
    () =>
      program === null
        ? fuzz(real, model, { programs, seed }, interrupt)
        : replay(real, model, program, interrupt),
  );
}

// The decoder passes over a byte-order mark at the beginning.
function readScript(file: string): string {
  try {
    return new TextDecoder().decode(readHostFile(file === "-" ? null : file, MOST_SCRIPT));
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
 * `dirtyring fuzz` on several kernels, as many beside each other as there are processors.
 *
 * @param request The machines and the command line.
 * @param file The script that each is to run, if one was named.
 * @param option The option that names it.
 * @returns What each came to.
 * @throws {KernelFileError} Where a kernel, or its modules, cannot be had.
 * @throws {HostError} Where there is no emulator for one.
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
