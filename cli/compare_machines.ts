// Runs one command on several kernels and collects their results.
import { HostError } from "../ffi/errors.ts";
import { EXIT } from "../host/errors.ts";
import type { Result } from "../host/facts.ts";
import type { Interrupt, InterruptSignal } from "../host/interrupt.ts";
import type { UnlabelledRun } from "../host/kernel_run.ts";
import type { Machine } from "../vm/machine.ts";
import { type PreparedMachine, prepareMachine } from "../vm/prepare.ts";
import { VmFailure } from "../vm/vm_failure.ts";
import type { Context } from "./context.ts";
import { withoutOptions } from "./global_options.ts";
import { endStatus, LineReader, machineFor } from "./in_machine.ts";
import type { MachineFiles } from "./machine_files.ts";
import { lineOf, type MachineRequest, WRITING } from "./machine_request.ts";

/**
 * Runs the same command on several kernels, each in a machine of its own, and reads the JSON that
 * each prints.
 *
 * @typeParam Report The result that each prints.
 * @param request The machines and the command line.
 * @param files The files that the command line names.
 * @param beside How many machines run at the same time.
 * @returns The result of each, in the order of the machines, and the signal that ended the command
 * early.
 * @throws {KernelFileError} If a kernel or its modules cannot be found or read.
 * @throws {HostError} If there is no emulator for a machine.
 */
export async function askMachines<Report extends Result>(
  request: MachineRequest,
  files: MachineFiles,
  beside: number,
  context: Context,
): Promise<{ readonly runs: UnlabelledRun<Report>[]; readonly signal: InterruptSignal | null }> {
  const lanes = new Lanes(beside);
  const prepared: PreparedMachine[] = [];
  for (const choice of request.choices) prepared.push(await prepareMachine(choice));
  const asked = withoutOptions(request.args, [...WRITING, "baseline", "fail-above"])
    .filter((arg) => arg !== "--bisect");
  const args = lineOf([...asked, "--times", "--format", "json"], request.operands);
  const running = new Set<Machine>();
  using interrupt = await interruptAll(running, context);
  let ended = 0;
  using _step = interrupt.progress.begin({
    what: "kernels that have ended",
    unit: "kernels",
    total: prepared.length,
    // They do not begin at the same time, and one may take much longer than another.
    isSteady: false,
    done: () => ended,
  });
  const runs = await Promise.all(prepared.map((parts, n) =>
    lanes.run(async () => {
      const { kernel, settings } = request.choices[n]!;
      const told = interrupt.signal === null
        ? await runOne<Report>(parts, { args, host: request.host, files }, running)
        : { report: null, status: 0, problem: null, console: [] };
      ended++;
      return { kernel, kernelArgs: settings.kernelArgs, cpu: settings.cpu, ...told };
    })
  ));
  return { runs, signal: interrupt.signal };
}

type Told<Report extends Result> = Pick<
  UnlabelledRun<Report>,
  "report" | "status" | "problem" | "console"
>;

// Runs the command in one machine and parses what it prints.
async function runOne<Report extends Result>(
  prepared: PreparedMachine,
  command: Parameters<typeof machineFor>[1],
  running: Set<Machine>,
): Promise<Told<Report>> {
  let text = "";
  const decoder = new TextDecoder();
  const said: string[] = [];
  const errors = new LineReader((line) => void said.push(line));
  const machine = machineFor(prepared, command, {
    booted: () => {},
    stdout(bytes) {
      text += decoder.decode(bytes, { stream: true });
      return true;
    },
    stderr(bytes) {
      errors.add(bytes);
      return true;
    },
  });
  running.add(machine);
  const nothing = { report: null, console: [] };
  try {
    const status = endStatus(await machine.run());
    errors.end();
    const last = said.at(-1)?.replace(/^dirtyring: /, "") ?? null;
    if (text === "") return { ...nothing, status, problem: last };
    const report = reportIn<Report>(text);
    if (report !== null) return { ...nothing, status, problem: null, report };
    return { ...nothing, status: EXIT.MACHINE, problem: "it printed something else than a result" };
  } catch (error) {
    if (error instanceof HostError) {
      return { ...nothing, status: EXIT.HOST, problem: error.message };
    }
    if (!(error instanceof VmFailure)) throw error;
    return { ...nothing, status: EXIT.MACHINE, problem: error.message, console: error.console };
  } finally {
    running.delete(machine);
  }
}

// The same version of this program wrote the text, so the cast holds, unless the kernel under test
// corrupted it.
function reportIn<Report extends Result>(text: string): Report | null {
  try {
    const value: unknown = JSON.parse(text);
    const isResult = typeof value === "object" && value !== null && "schema" in value;
    return isResult ? value as Report : null;
  } catch {
    return null;
  }
}

/** Limits how many pieces of work run at the same time; the others wait for their turn. */
export class Lanes {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** Creates lanes. */
  constructor(count: number) {
    this.#free = count;
  }

  /**
   * Runs a piece of work as soon as a lane is free.
   *
   * @returns The result of the work.
   */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

/**
 * Passes interrupts on to machines.
 *
 * @param running The machines that run now; the caller keeps it current.
 * @returns The interrupt, which the caller disposes of.
 */
export async function interruptAll(
  running: ReadonlySet<Machine>,
  context: Pick<Context, "listen">,
): Promise<Interrupt> {
  const interrupt: Interrupt = await context.listen(() => {
    for (const machine of running) machine.interrupt(interrupt.signal!);
  });
  return interrupt;
}
