import type { Watched } from "../lab/kernel_log.ts";
import type { BenchResult } from "../sweeps/bench.ts";
import { type BenchKernels, benchKernels } from "../sweeps/bench_kernels.ts";
import type { Context } from "../cli/command.ts";
import { MachineFiles } from "../cli/machine_files.ts";
import type { MachineRequest } from "../cli/machine_request.ts";
import { askMachines } from "./compare_machines.ts";

/**
 * `dirtyring bench` on several kernels: one after another, since what is measured at the same time disturbs itself.
 *
 * @param request The machines and the command line.
 * @param context What it may use.
 * @returns What each came to.
 * @throws {KernelFileError} Where a kernel, or its modules, cannot be had.
 * @throws {HostError} Where there is no emulator for one.
 */
export async function benchInMachines(
  request: MachineRequest,
  context: Context,
): Promise<BenchKernels> {
  const files = new MachineFiles();
  const { runs, signal } = await askMachines<Watched<BenchResult>>(request, files, 1, context);
  return benchKernels(runs, signal);
}
