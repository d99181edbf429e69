import { type FuzzKernels, fuzzKernels } from "../checks/fuzz_kernels.ts";
import type { FuzzResult } from "../checks/fuzz_result.ts";
import type { Watched } from "../lab/kernel_log.ts";
import type { Context } from "../cli/command.ts";
import { MachineFiles } from "../cli/machine_files.ts";
import type { MachineRequest } from "../cli/machine_request.ts";
import type { Option } from "../cli/option.ts";
import { askMachines } from "./compare_machines.ts";

/**
 * `dirtyring fuzz` on several kernels, as many beside each other as there are processors.
 *
 * @param request The machines and the command line.
 * @param file The script that each is to run, if one was named.
 * @param option The option that names it.
 * @param context What it may use.
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
