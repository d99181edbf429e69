// Repeats the measurements of docs/kernels.md: Debian's kernels with each of KVM's modules and each
// way of mapping guests, in VMs. Prints the tables in Markdown, and on standard error the progress,
// what was left out and why, and what failed. All of it takes hours.
// Usage: deno task kernels [amd|intel|NAME ...] [--kernels 6.12] [--fuzz N] [--seed N]
import { interruptStatus } from "../../cli/command.ts";
import type { FuzzResult } from "../../conformance/fuzz/fuzz.ts";
import type { CheckReport } from "../../conformance/runner/check_report.ts";
import { UsageError } from "../../host/errors.ts";
import { Interrupt } from "../../host/interrupt.ts";
import type { Watched } from "../../host/kernel_log.ts";
import { askChecks, askFuzz, runTool } from "./ask.ts";
import { emulatorOf } from "./emulator.ts";
import { fetchAll, fetchedText, kernelsFolder } from "./fetch_all.ts";
import { processorText, vmOptions } from "./matrix.ts";
import { type MatrixLine, matrixLine } from "./matrix_line.ts";
import { THIS_HOST } from "./package_host.ts";
import { type Asked, checksTable, fuzzTable, type Table } from "./tables.ts";

/** Exit statuses: all is well, something failed, wrong command line, no kernel could be run. */
const [HOLDS, FAILED, USAGE, CANNOT] = [0, 1, 2, 4] as const;

interface Found {
  readonly series: string;
  readonly folder: string;
}

const say = (line: string) => console.error(line);

async function askMatrix(
  { configurations, fuzz: programs, seed }: MatrixLine,
  found: readonly Found[],
  interrupt: Interrupt,
) {
  const checks: Asked<CheckReport>[] = [];
  const fuzz: Asked<Watched<FuzzResult>>[] = [];
  const began = performance.now();
  const minutes = () => `${((performance.now() - began) / 60_000).toFixed(0)} min`;
  for (const configuration of configurations) {
    if (interrupt.signal !== null) break;
    const { cpu, mapping } = configuration;
    const name = `kvm_${cpu}, ${mapping.replaceAll("`", "")}`;
    const emulator = await emulatorOf(cpu, found[0]!.folder);
    if (typeof emulator !== "string") {
      say(`${name}: left out: ${emulator.missing}`);
      continue;
    }
    const processor = processorText(cpu, emulator);
    const kernels = {
      folders: found.map(({ folder }) => folder),
      options: vmOptions(configuration),
    };
    const of = <Run>(run: Run, n: number) => ({
      series: found[n]!.series,
      configuration,
      processor,
      run,
    });
    say(`${name}: check (after ${minutes()})`);
    checks.push(...(await askChecks(kernels, runTool)).kernels.map(of));
    if (programs === 0 || interrupt.signal !== null) continue;
    say(`${name}: fuzz ${programs} (after ${minutes()})`);
    const told = await askFuzz({ programs, seed }, kernels, runTool);
    fuzz.push(...told.kernels.map(of));
  }
  say(`ended after ${minutes()}`);
  return { checks, fuzz };
}

function show(title: string, { lines, problems }: Table): void {
  if (lines.length > 0) console.log([`## ${title}\n`, ...lines, ""].join("\n"));
  for (const problem of problems) say(`${title}: PROBLEM: ${problem}`);
}

async function main(args: readonly string[]): Promise<number> {
  const line = await matrixLine(args);
  const kernels = await fetchAll(line.kernels, kernelsFolder(), THIS_HOST);
  for (const text of fetchedText(kernels)) say(text);
  const found = kernels.flatMap(({ series, kernel }) =>
    "missing" in kernel ? [] : [{ series, folder: kernel.folder }]
  );
  if (found.length === 0) return CANNOT;
  // The tool gets an interrupt from the terminal, too, and its results up to then are shown.
  using interrupt = new Interrupt();
  const { checks, fuzz } = await askMatrix(line, found, interrupt);
  const tables = [
    ["Checks", checksTable(checks)],
    ["Random programs", fuzzTable(fuzz)],
  ] as const;
  for (const [title, table] of tables) show(title, table);
  if (interrupt.signal !== null) return interruptStatus(interrupt.signal);
  if (tables.some(([, { problems }]) => problems.length > 0)) return FAILED;
  return checks.length === 0 ? CANNOT : HOLDS;
}

if (import.meta.main) {
  try {
    Deno.exitCode = await main(Deno.args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    say(`deno task kernels: ${error.message}`);
    Deno.exitCode = USAGE;
  }
}
