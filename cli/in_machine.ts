// Runs a command in a machine that boots the kernel of `--kernel`.
import { EXIT } from "../host/errors.ts";
import type { WorkProgress } from "../host/progress.ts";
import { oneLine } from "../report/table.ts";
import type { GuestRequest, HostOrigin } from "../vm/guest_request.ts";
import { Machine, type MachineEnd, type MachineListener } from "../vm/machine.ts";
import { type PreparedMachine, prepareMachine } from "../vm/prepare.ts";
import { KernelFileError, VmFailure } from "../vm/vm_failure.ts";
import { type Command, interruptStatus, readStatus } from "./command.ts";
import type { Context } from "./context.ts";
import { GLOBAL_OPTIONS } from "./global_options.ts";
import { GuestSteps } from "./guest_progress.ts";
import { MachineFiles } from "./machine_files.ts";
import { lineOf, type MachineRequest } from "./machine_request.ts";

/** A command to run in a machine. */
export interface GuestCommand {
  /** Its command line. */
  readonly args: readonly string[];
  /** What it writes to; by default neither a terminal nor coloured. */
  readonly written?: Pick<GuestRequest, "terminal" | "isColoured">;
  /** Whether it tells of its progress, see `cli/guest_progress.ts`; it does not unless given. */
  readonly progress?: boolean;
  /** What its result tells of this side. */
  readonly host: HostOrigin;
  /** The files of this host that it reads and writes. */
  readonly files: MachineFiles;
}

/**
 * Creates the machine in which a command runs.
 *
 * @param listener Receives its output. Files are written to this host by `files`.
 * @returns The machine, not started yet.
 */
export function machineFor(
  { kernel, settings, emulator, modules, initrd }: PreparedMachine,
  { args, written = { terminal: null, isColoured: false }, host, progress = false, files }:
    GuestCommand,
  listener: Omit<MachineListener, "file">,
): Machine {
  const content = {
    request: {
      args,
      ...written,
      progress,
      host,
      cwd: Deno.cwd(),
      inputs: files.inputs,
      outputs: files.outputs,
      hasStdin: files.stdin !== null,
      modules: modules.map(({ name }) => name),
    },
    modules,
    files: files.files,
    folders: files.folders,
    stdin: files.stdin,
  };
  return new Machine({ kernel, settings, emulator, initrd: () => initrd(content) }, {
    ...listener,
    file: (file, bytes) => files.take(file, bytes),
  });
}

/** The exit status of a command that ended in a machine. */
export function endStatus(end: MachineEnd): number {
  return "code" in end ? end.code : interruptStatus(end.interrupted);
}

/**
 * Runs a command in one machine as if it ran here: its output is printed here, its files are this
 * host's, and interrupts are passed on to it.
 *
 * @param values The values of the command's options and operands.
 * @returns Its exit status.
 * @throws {VmFailure} If the machine failed before the command ended.
 * @throws {KernelFileError} If the kernel or its modules cannot be found or read.
 * @throws {HostError} If there is no emulator, or this kernel has no KVM.
 * @throws {UsageError} If a file cannot be read or written.
 * @throws {KernelError} If a file cannot be read or written for lack of room.
 */
export async function runInMachine(
  request: MachineRequest,
  values: Readonly<Record<string, unknown>>,
  command: Command,
  context: Context,
): Promise<number> {
  const options = { ...command.options, ...GLOBAL_OPTIONS };
  const files = await MachineFiles.of(values, { ...command, options });
  const prepared = await prepareMachine(request.choices[0]!);
  const args = lineOf(request.args, request.operands);
  let machine: Machine | null = null;
  using interrupt = await context.listen(() => machine?.interrupt(interrupt.signal!));
  using boot = new MachineSteps(interrupt.progress, prepared, command.name);
  const { terminal, isColoured } = context;
  const written = { terminal: terminal === null ? null : { ...terminal }, isColoured };
  const out = new TextDecoder();
  const lines = new LineReader((line) => boot.take(line) || context.say(line));
  const progress = interrupt.progress.isShown;
  const asked = { args, written, host: request.host, progress, files };
  let isRead = true;
  machine = machineFor(prepared, asked, {
    booted: () => boot.booted(),
    stdout(bytes) {
      // What the terminal shows of a result in the making is progress enough.
      if (terminal !== null) boot.end();
      return isRead &&= context.print([out.decode(bytes, { stream: true })]);
    },
    stderr(bytes) {
      lines.add(bytes);
      return true;
    },
  });
  const end = await machine.run();
  lines.end();
  for (const { why, text } of files.unwritten) {
    context.note(`${why}; it is on standard output instead`);
    isRead &&= context.print([text]);
  }
  const status = readStatus(isRead, endStatus(end));
  return files.unwritten.length > 0 ? Math.max(status, EXIT.KERNEL) : status;
}

/** Says that a machine boots, and then what the command in it does. */
export class MachineSteps implements Disposable {
  readonly #progress: WorkProgress;
  readonly #guest: GuestSteps;
  readonly #where: string;
  readonly #command: string;
  #step: Disposable | null;

  /**
   * Begins with the boot.
   *
   * @param command The name of the command that runs in the machine.
   */
  constructor(progress: WorkProgress, { kernel, emulator }: PreparedMachine, command: string) {
    this.#progress = progress;
    this.#guest = new GuestSteps(progress);
    this.#where = `Linux ${kernel.image.release} in ${emulator.name}`;
    this.#command = command;
    this.#step = this.#begin(`booting ${this.#where}`);
  }

  #begin(what: string): Disposable {
    return this.#progress.begin({ what, total: null, done: () => 0 });
  }

  /** The machine has booted: the command runs. */
  booted(): void {
    this.#endStep();
    this.#step = this.#begin(`${this.#command} on ${this.#where}`);
  }

  /**
   * Takes a line of the machine's standard error.
   *
   * @returns Whether it tells of progress, and so must not be printed.
   */
  take(line: string): boolean {
    if (!this.#guest.take(line)) return false;
    // What the command says of itself says more than that it runs.
    if (this.#guest.count > 0) this.#endStep();
    else this.#step ??= this.#begin(`${this.#command} on ${this.#where}`);
    return true;
  }

  #endStep(): void {
    this.#step?.[Symbol.dispose]();
    this.#step = null;
  }

  /** Ends the steps: something else is shown from now on. */
  end(): void {
    this.#endStep();
    this.#guest[Symbol.dispose]();
  }

  /** Ends the steps. */
  [Symbol.dispose](): void {
    this.end();
  }
}

/** Splits bytes into lines. */
export class LineReader {
  readonly #take: (line: string) => void;
  readonly #decoder = new TextDecoder();
  #rest = "";

  /**
   * Creates a reader without pending bytes.
   *
   * @param take Called with each line, without its line end.
   */
  constructor(take: (line: string) => void) {
    this.#take = take;
  }

  /** Adds bytes, in pieces of any size. */
  add(bytes: Uint8Array): void {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) this.#take(line);
  }

  /** Passes on the rest as a last line, if there is any. */
  end(): void {
    if (this.#rest !== "") this.#take(this.#rest);
    this.#rest = "";
  }
}

/** How to report an error of a machine. */
export interface MachineFailure {
  /** The exit status; `null` if the error's own class decides it. */
  readonly status: number | null;
  /** Whether the command in the machine has already reported the error. */
  readonly isTold: boolean;
  /** Lines to print after the error. */
  readonly lines: readonly string[];
  /** Whether it says nothing about the kernel of a commit: the kernel may not have been built. */
  readonly saysNothing: boolean;
}

/**
 * How to report an error, if it came from a machine.
 *
 * @returns The report, or `null` if it is an ordinary error of a command.
 */
export function machineFailure(error: unknown): MachineFailure | null {
  const nothing = { status: null, isTold: false, lines: [], saysNothing: false };
  if (error instanceof EndedElsewhere) return { ...nothing, status: error.status, isTold: true };
  if (error instanceof KernelFileError) return { ...nothing, saysNothing: true };
  if (!(error instanceof VmFailure)) return null;
  // The kernel may have written anything to its console, so each line is sanitized.
  const last = error.console.map((line) => `  ${oneLine(line)}`);
  const lines = last.length === 0 ? [] : ["the last lines of its console:", ...last];
  return { ...nothing, status: EXIT.MACHINE, lines };
}

/**
 * A command ended in a machine without a result. It has reported the reason there; only its exit
 * status is passed on.
 */
export class EndedElsewhere extends Error {
  /** The status. */
  readonly status: number;

  /** Creates an error that carries the status. */
  constructor(status: number) {
    super(`ended with status ${status}`);
    this.status = status;
  }
}
