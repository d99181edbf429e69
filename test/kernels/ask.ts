// Checks and fuzzes kernels with the real command line, and reads its JSON output.
import { type FuzzKernels, fuzzKernels, type FuzzResult } from "../../conformance/fuzz/fuzz.ts";
import type { CheckReport } from "../../conformance/runner/check_report.ts";
import { type KernelsReport, kernelsReport } from "../../conformance/runner/kernels_report.ts";
import { ALL_CHECKS } from "../../conformance/statements/all_checks.ts";
import type { Result } from "../../host/facts.ts";
import type { Watched } from "../../host/kernel_log.ts";
import type { UnlabelledRun } from "../../host/kernel_run.ts";
import { type CliResult, denoArgs } from "../support/cli.ts";

/** The kernels to run on. */
export interface Kernels {
  /** The folders of their unpacked packages. */
  readonly folders: readonly string[];
  /** Further options for their VMs. */
  readonly options: readonly string[];
}

/** Runs a command line. */
export type RunTool = (args: readonly string[]) => Promise<CliResult>;

/** Runs the tool of this checkout. */
export const runTool: RunTool = async (args) => {
  const command = new Deno.Command(Deno.execPath(), { args: denoArgs(args), stdin: "null" });
  const { code, signal, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, signal, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
};

/** The options of the command line that name kernels. */
export function kernelOptions({ folders, options }: Kernels): string[] {
  return [...folders.flatMap((folder) => ["--kernel", folder]), ...options];
}

/**
 * Runs `check` on one or several kernels.
 *
 * @returns A run for each kernel.
 */
export async function askChecks(kernels: Kernels, run: RunTool): Promise<KernelsReport> {
  const told = await ask<KernelsReport, CheckReport>("check-kernels", ["check"], kernels, run);
  return "kernels" in told ? told : kernelsReport(told.runs, ALL_CHECKS.map(({ id }) => id), null);
}

/**
 * Runs `fuzz` on one or several kernels.
 *
 * @param programs The number of programs, and the seed.
 * @returns A run for each kernel.
 */
export async function askFuzz(
  { programs, seed }: { readonly programs: number; readonly seed: number },
  kernels: Kernels,
  run: RunTool,
): Promise<FuzzKernels> {
  const args = ["fuzz", `${programs}`, "--seed", `${seed}`];
  const told = await ask<FuzzKernels, Watched<FuzzResult>>("fuzz-kernels", args, kernels, run);
  return "kernels" in told ? told : fuzzKernels(told.runs, null);
}

// With several kernels the tool itself reports the outcome of each. Otherwise its exit status and
// its last message count for all kernels.
async function ask<Several extends Result | { readonly schema: string }, One extends Result>(
  schema: string,
  args: readonly string[],
  kernels: Kernels,
  run: RunTool,
): Promise<Several | { readonly runs: readonly UnlabelledRun<One>[] }> {
  const { folders, options } = kernels;
  const { code, stdout, stderr } = await run(
    [...args, "--format", "json", ...kernelOptions(kernels)],
  );
  const result = stdout === "" ? null : JSON.parse(stdout);
  // No validation: this same version wrote it, and the schema tells its type.
  if (result?.schema === `dirtyring.${schema}/1`) return result as Several;
  const valueOf = (name: string) => {
    const at = options.indexOf(name);
    return at < 0 ? null : options[at + 1]!;
  };
  const runs = folders.map((kernel) => ({
    kernel,
    kernelArgs: valueOf("--kernel-args") ?? "",
    cpu: valueOf("--vm-cpu"),
    status: code,
    report: result as One | null,
    problem: result === null ? lastWords(stderr) : null,
    console: consoleOf(stderr),
  }));
  return { runs };
}

/** The last message of the tool, without its name. */
export function lastWords(stderr: string): string {
  const lines = stderr.trimEnd().split("\n");
  const own = lines.findLast((line) => line.startsWith("dirtyring: ")) ?? lines.at(-1)!;
  return own.replace(/^dirtyring: /, "") || "it said nothing";
}

// The lines of the console that the tool printed on stderr.
function consoleOf(stderr: string): string[] {
  const lines = stderr.trimEnd().split("\n");
  const at = lines.indexOf("the last lines of its console:");
  return at < 0 ? [] : lines.slice(at + 1).map((line) => line.trim());
}
