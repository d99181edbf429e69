import { HostError, KernelError, WordedError } from "../ffi/errors.ts";
import type { openKernel } from "../host/backend.ts";
import { EXIT, GuestError, UsageError } from "../host/errors.ts";
import { exhaustion, needDescriptors, surviveFileLimit } from "../host/exhaustion.ts";
import { printable } from "../text/printable.ts";
import type { Command, Context, Registry } from "./command.ts";
import { asksMachine, bisectStatus, GLOBAL_OPTIONS } from "./global_options.ts";
import type { MachineRequest } from "./machine_request.ts";
import { optionFlag, type OptionTable } from "./option.ts";
import { parseLine, parseOperands } from "./parse.ts";
import { note, OutputError, say, showStatus, StandardOutput } from "./printing.ts";

/** With fewer file descriptors left Deno would panic in the midst of a run, with a status that means something else. */
const LEAST_DESCRIPTORS = 8;

/** What a command line runs in: a process of this machine, or of one that was booted for it. */
export interface World {
  /** The terminal that standard output is, or `null`. */
  terminal(): { readonly columns: number } | null;
  /** Tells who watches from outside which step is under way. */
  announce(what: string): void;
  /** The kernel that options ask for; {@linkcode openKernel} unless given. */
  readonly openKernel?: typeof openKernel;
}

/**
 * Runs a command line, and says on standard error what went wrong.
 *
 * @param args What follows the program's name.
 * @param registry The commands that there are.
 * @param world What it runs in.
 * @returns The exit status.
 */
export async function commandLine(
  args: readonly string[],
  registry: Registry,
  world: World,
): Promise<number> {
  const line = new CommandLine(args, registry, world);
  const isBisected = args.includes("--bisect");
  let status: number;
  try {
    needDescriptors(LEAST_DESCRIPTORS, "this program");
    const out = await StandardOutput.open(world.terminal() !== null);
    status = await line.run(out);
    out.close();
  } catch (error) {
    status = await reportError(error, { args, isBisected, couldAskModel: line.couldAskModel });
  }
  // A command line that is wrong, and a defect, are answers to git, too.
  return isBisected ? bisectStatus(status) : status;
}

/** A command line on its way to a status. */
class CommandLine {
  readonly #args: readonly string[];
  readonly #registry: Registry;
  readonly #world: World;
  /** Whether it turned out to ask this machine's own kernel, which decides what is said of an error. */
  couldAskModel = false;

  constructor(args: readonly string[], registry: Registry, world: World) {
    this.#args = args;
    this.#registry = registry;
    this.#world = world;
  }

  async run(out: StandardOutput): Promise<number> {
    const args = this.#args;
    const at = args.findIndex((arg) => !arg.startsWith("-"));
    const name = at === -1 ? undefined : args[at];
    if (name === undefined || name === "help") return await this.#withoutCommand(at, out);
    const before = args.slice(0, at).find((arg) => !isGlobalFlag(arg.slice(2)));
    if (before !== undefined) {
      const what = printable(before);
      throw new UsageError(
        `${what}: the command comes first; expected dirtyring COMMAND ${what} ...`,
      );
    }
    const command = await this.#registry.load(name);
    const rest = [...args.slice(0, at), ...args.slice(at + 1)];
    const options = { ...command.options, ...GLOBAL_OPTIONS };
    const line = await parseLine(rest, options, this.#registry.movedFrom(name));
    if (line.values["version"] === true) return await printVersion(out);
    if (line.values["help"] === true) return await this.#printHelp(name, out);
    const values = { ...line.values, ...parseOperands(command, line.operands) };
    if (writesFile(options, values)) surviveFileLimit();
    const machines = await machinesAskedFor(values, [name, ...line.given], line.operands);
    const context = this.#context(out, values["trace"] === true, machines);
    this.couldAskModel = machines === null && values["backend"] === "kvm";
    if (machines !== null && !command.asksMachines(values, machines.choices.length)) {
      return await runInMachine(machines, values, command, context);
    }
    const { output, status } = await command.execute(values, context);
    await out.endProgress();
    out.print(output);
    return status;
  }

  #context(out: StandardOutput, trace: boolean, machines: MachineRequest | null): Context {
    return {
      openKernel: async (selection) => {
        // Help needs none.
        const open = this.#world.openKernel ?? (await import("../host/backend.ts")).openKernel;
        return await open(selection, trace ? say : null, note);
      },
      note,
      say,
      status: showStatus,
      print: (chunks) => out.print(chunks),
      stream: (chunks) => out.stream(chunks),
      terminal: this.#world.terminal(),
      machines,
      announce: this.#world.announce,
      trace,
    };
  }

  // `dirtyring`, `dirtyring --help`, `dirtyring --version`, `dirtyring help [COMMAND]`.
  async #withoutCommand(at: number, out: StandardOutput): Promise<number> {
    const args = this.#args;
    const rest = at === -1 ? args : [...args.slice(0, at), ...args.slice(at + 1)];
    const { values, operands } = await parseLine(rest, GLOBAL_OPTIONS);
    if (values["version"] === true) return await printVersion(out);
    if (operands.length > 1) {
      throw new UsageError(`unexpected ${printable(operands[1]!)}; expected one command`);
    }
    if (at !== -1 || values["help"] === true) return await this.#printHelp(operands[0], out);
    throw new UsageError("a command is missing; dirtyring help lists them");
  }

  async #printHelp(name: string | undefined, out: StandardOutput): Promise<number> {
    const { help } = await import("./help.ts");
    out.print(await help(this.#registry, name));
    return 0;
  }
}

async function printVersion(out: StandardOutput): Promise<number> {
  const { VERSION } = await import("./help.ts");
  out.print([`dirtyring ${VERSION}\n`]);
  return 0;
}

function writesFile(options: OptionTable, values: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(options).some(([name, { file }]) =>
    file?.(values[name])?.use.startsWith("write") === true
  );
}

// What may stand before the command: `--kernel FILE` may not, whose value would be taken for the command.
function isGlobalFlag(name: string): boolean {
  const options: OptionTable = GLOBAL_OPTIONS;
  return Object.hasOwn(options, name) && options[name]!.value === null;
}

// What `--kernel` asks for: few command lines do, and the modules are not loaded for the others.
async function machinesAskedFor(
  values: Readonly<Record<string, unknown>>,
  args: readonly string[],
  operands: readonly string[],
): Promise<MachineRequest | null> {
  if (!args.some(asksMachine)) return null;
  const { machineRequest } = await import("./machine_request.ts");
  return machineRequest(values, args, operands);
}

async function runInMachine(
  machines: MachineRequest,
  values: Readonly<Record<string, unknown>>,
  command: Command,
  context: Context,
): Promise<number> {
  if (machines.choices.length > 1) {
    throw new UsageError(
      `--kernel: ${command.name} runs on one; check, fuzz and bench compare several`,
    );
  }
  const module = await import("./in_machine.ts");
  return await module.runInMachine(machines, values, command, context);
}

/** What a person without a usable /dev/kvm can do too, told behind the error. */
const OR_MODEL = "; or try the model of a kernel: --backend model";

/** How a command line is told of its error. */
export interface ErrorReport {
  /** The command line. */
  readonly args: readonly string[];
  /** Whether its status is for `git bisect run`. */
  readonly isBisected: boolean;
  /** Whether it asked this machine's own kernel, and could have asked the model. */
  readonly couldAskModel: boolean;
}

/**
 * Says on standard error what went wrong.
 *
 * @param thrown The error.
 * @param report Of which command line.
 * @returns The exit status that it stands for: README.md, "Exit statuses".
 */
async function reportError(
  thrown: unknown,
  { args, isBisected, couldAskModel }: ErrorReport,
): Promise<number> {
  let short = exhaustion(thrown);
  const failure = await machineFailure(args, thrown).catch((late) => {
    short ??= exhaustion(late); // no file descriptor is left to load it with
    return null;
  });
  const error = short ?? thrown;
  const status = isBisected && failure?.saysNothing
    ? EXIT.MACHINE
    : failure?.status ?? statusOf(error);
  if (failure?.isTold) return status;
  const wantsStack = args.includes("--verbose");
  const what = status === EXIT.DEFECT
    ? "a defect of dirtyring, please report it with the output of --verbose: "
    : isOutOfMemory(error)
    ? "out of memory, ask for less with --pages, --ring or --vcpus: "
    : "";
  const orModel = couldAskModel && error instanceof HostError ? OR_MODEL : "";
  note(`${what}${messageOf(error, wantsStack)}${orModel}`);
  if (wantsStack) stackOf(thrown).forEach(say);
  failure?.lines.forEach(say);
  return status;
}

// V8 has no class of its own for an array that it finds no memory for.
function isOutOfMemory(error: unknown): boolean {
  return error instanceof RangeError && /allocation failed|Invalid typed array/.test(error.message);
}

function statusOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.USAGE;
  if (error instanceof KernelError || error instanceof GuestError) return EXIT.KERNEL;
  if (error instanceof OutputError) return EXIT.KERNEL;
  if (isOutOfMemory(error)) return EXIT.KERNEL;
  return error instanceof HostError ? EXIT.HOST : EXIT.DEFECT;
}

// On a line of its own, whatever it holds: behind it a stack has lines, and nothing else has.
function messageOf(error: unknown, isNamed: boolean): string {
  if (!(error instanceof Error)) return String(error);
  // Where values have names below, a command line has options.
  const message = error instanceof WordedError ? error.said(optionFlag) : error.message;
  const name = error instanceof UsageError ? "UsageError" : error.name;
  return isNamed ? `${name}: ${message}` : message;
}

function stackOf(error: unknown): string[] {
  const stack = error instanceof Error ? error.stack ?? "" : "";
  return stack.split("\n").filter((line) => /^ {4}at /.test(line));
}

// What is said of a machine of `--kernel` that failed: no other command line needs to know.
async function machineFailure(args: readonly string[], error: unknown) {
  if (!args.some(asksMachine)) return null;
  const module = await import("./in_machine.ts");
  return module.machineFailure(error);
}
