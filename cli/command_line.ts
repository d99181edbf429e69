// Runs a command line: finds the command, parses, executes, and reports errors.
import { HostError, KernelError, WordedError } from "../ffi/errors.ts";
import type { Kernel, TraceOrder } from "../ffi/kernel.ts";
import type { openKernel } from "../host/backend.ts";
import { EndedBySignal, EXIT, GuestError, LimitError, UsageError } from "../host/errors.ts";
import { exhaustion, needDescriptors, surviveFileLimit } from "../host/exhaustion.ts";
import type { Interrupt } from "../host/interrupt.ts";
import type { Origin, Provenance } from "../host/provenance.ts";
import { PLAIN_PAGE } from "../report/page.ts";
import { printable } from "../text/printable.ts";
import type { HostOrigin } from "../vm/guest_request.ts";
import { type Command, readStatus, type Registry } from "./command.ts";
import type { Context } from "./context.ts";
import {
  asksMachine,
  bisectStatus,
  GLOBAL_OPTIONS,
  optionName,
  type TraceChoice,
} from "./global_options.ts";
import type { MachineRequest } from "./machine_request.ts";
import { filesOf, optionFlag, type OptionTable } from "./option.ts";
import { parseLine, parseOperands } from "./parse.ts";
import {
  columnsOfStderr,
  errorTerminal,
  hasErrorTerminal,
  note,
  OutputError,
  say,
  sayError,
  showStatus,
  StandardOutput,
} from "./printing.ts";
import type { ProgressView } from "./progress.ts";
import { leftOut, Surface } from "./surface.ts";
import type { Terminal } from "./terminal.ts";

/**
 * With fewer file descriptors left, Deno would panic during a run, with an exit status that has
 * another meaning.
 */
const LEAST_DESCRIPTORS = 8;

/** The commands that tell of dirtyring itself: cli/about_commands.ts. */
const ABOUT: readonly string[] = ["help", "completions"];

/**
 * The surroundings of a command line: a process on this host, or in a machine that was booted for
 * it.
 */
export interface World {
  /** The terminal of standard output, or `null`. */
  terminal(): Terminal | null;
  /** The terminal of standard error, or `null`; the process's own unless given. */
  errorTerminal?(): Terminal | null;
  /** Whether standard output is coloured; by default the command line decides. */
  readonly isColoured?: boolean;
  /** Tells an observer outside the machine which step begins. */
  announce(what: string): void;
  /** Where progress is shown; stderr unless given, if that is a terminal. */
  readonly view?: ProgressView;
  /** Opens the kernel that options ask for; {@linkcode openKernel} unless given. */
  readonly openKernel?: typeof openKernel;
  /** What the host of a machine of `--kernel` was asked, and what it runs. */
  readonly host?: HostOrigin;
}

/**
 * Runs a command line, and reports errors on standard error.
 *
 * @param args The arguments after the program's name.
 * @param registry The existing commands.
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
    const surface = await Surface.of(args, world);
    const out = await StandardOutput.open(surface.obeyed);
    status = await line.run(out, surface);
    out.close();
  } catch (error) {
    // Nothing went wrong, and nothing was gathered that could be printed.
    status = error instanceof EndedBySignal
      ? EXIT[error.signal]
      : await reportError(error, { args, isBisected, couldAskModel: line.couldAskModel });
  }
  // A wrong command line and a defect must be translated for git, too.
  return isBisected ? bisectStatus(status) : status;
}

/** A command line that is being run. */
class CommandLine {
  readonly #args: readonly string[];
  readonly #registry: Registry;
  readonly #world: World;
  readonly #began = { began: new Date(), beganMs: performance.now() };
  /** Writes the lines of a trace, from the first kernel on. */
  #tracing: Promise<(call: string) => void> | null = null;
  /** The kernel that was opened last. */
  #kernel: Kernel | null = null;
  /** Whether it uses this host's own kernel, so that an error may suggest the model. */
  couldAskModel = false;

  constructor(args: readonly string[], registry: Registry, world: World) {
    this.#args = args;
    this.#registry = registry;
    this.#world = world;
  }

  async run(out: StandardOutput, surface: Surface): Promise<number> {
    const args = this.#args;
    const at = args.findIndex((arg) => !arg.startsWith("-"));
    const name = at === -1 ? undefined : args[at];
    if (name === undefined || ABOUT.includes(name)) return await this.#about(out);
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
    const written = countWritten(options, values);
    if (written > 0) surviveFileLimit();
    if (written > 1) await (await import("./written_files.ts")).mustDiffer(options, values);
    const machines = await machinesAskedFor(values, [name, ...line.given], line.operands, args);
    const context = this.#context(out, surface, { values, given: line.given, machines });
    this.couldAskModel = machines === null && values["backend"] === "kvm";
    if (machines !== null && !command.asksMachines(values, machines.choices.length)) {
      return await runInMachine(machines, values, command, context);
    }
    const traced = context.trace?.file ?? null;
    if (traced !== null && machines !== null) {
      throw new UsageError(
        `--trace=${printable(traced)}: ${name} makes its calls in machines that keep no file; ` +
          "expected --trace alone, which shows them on stderr",
      );
    }
    // Also where no kernel is asked: an empty file says that there was no call.
    if (context.trace !== null && traced !== null) this.#tracing = beginTrace(context.trace);
    await this.#tracing;
    const { output, status } = await command.execute(values, context);
    await out.endProgress();
    return readStatus(out.print(output), status);
  }

  #context(
    out: StandardOutput,
    { terminal, ink, isColoured }: Surface,
    { values, given, machines }: Asked,
  ): Context {
    const trace = traceOrder(values);
    return {
      openKernel: async (selection) => {
        // Loaded here, since help needs no kernel.
        const open = this.#world.openKernel ?? (await import("../host/backend.ts")).openKernel;
        // Once, also where several kernels are opened: the file begins empty.
        const write = trace === null ? null : await (this.#tracing ??= beginTrace(trace));
        const kernel = await open(selection, write, note);
        return this.#kernel = trace === null ? kernel : { ...kernel, tracing: trace };
      },
      note,
      say,
      listen: (tell) => listen(this.#world.view ?? null, trace !== null, tell),
      print: (chunks) => out.print(chunks),
      stream: (chunks) => out.stream(chunks),
      terminal,
      isColoured,
      outlets: [],
      page: { ...PLAIN_PAGE, ink, ...leftOut(values), commandLine: this.#commandLine },
      given: new Set(given.map((word) => optionName(word) ?? "")),
      provenance: async () =>
        values["no-provenance"] === true
          ? null
          : await this.#provenance(values["no-times"] !== true),
      machines,
      announce: this.#world.announce,
      trace,
    };
  }

  get #commandLine(): readonly string[] {
    return this.#world.host?.commandLine ?? ["dirtyring", ...this.#args];
  }

  // Loaded late: it is wanted for JSON alone.
  async #provenance(isTimed: boolean): Promise<Provenance> {
    const { provenanceOf } = await import("../host/provenance.ts");
    const { sourceCommit, VERSION } = await import("./origin.ts");
    const { host } = this.#world;
    const origin: Origin = {
      ...this.#began,
      commandLine: this.#commandLine,
      version: VERSION,
      commit: host === undefined ? sourceCommit() : host.commit,
    };
    const provenance = provenanceOf(origin, this.#kernel);
    return isTimed ? provenance : { ...provenance, time: null };
  }

  // `dirtyring`, `dirtyring --help`, `dirtyring --version`, `dirtyring help [COMMAND]` and so on.
  async #about(out: StandardOutput): Promise<number> {
    const { about } = await import("./about.ts");
    return readStatus(out.print(await about(this.#args, this.#registry, this.#columns)), EXIT.OK);
  }

  async #printHelp(name: string, out: StandardOutput): Promise<number> {
    const { helpOf, helpWidth } = await import("./about.ts");
    const text = await helpOf(this.#registry, name, helpWidth(this.#columns));
    return readStatus(out.print(text), EXIT.OK);
  }

  get #columns(): number | null {
    return this.#world.terminal()?.columns ?? null;
  }
}

/** What a command line asks for, parsed. */
interface Asked {
  readonly values: Readonly<Record<string, unknown>>;
  readonly given: readonly string[];
  readonly machines: MachineRequest | null;
}

async function printVersion(out: StandardOutput): Promise<number> {
  const { VERSION } = await import("./origin.ts");
  return readStatus(out.print([`dirtyring ${VERSION}\n`]), EXIT.OK);
}

function countWritten(options: OptionTable, values: Readonly<Record<string, unknown>>): number {
  return Object.entries(options).flatMap(([name, option]) => filesOf(option, values[name]))
    .filter(({ use }) => use.startsWith("write")).length;
}

// Whether an option may precede the command: only flags may. The value of `--kernel FILE` would be
// taken for the command.
function isGlobalFlag(name: string): boolean {
  const options: OptionTable = GLOBAL_OPTIONS;
  const option = Object.hasOwn(options, name) ? options[name]! : undefined;
  return option !== undefined && (option.value === null || option.isValueOptional === true);
}

// Shows progress where somebody sees it. A trace shows what happens by itself.
async function listen(
  view: ProgressView | null,
  isTraced: boolean,
  tell?: () => void,
): Promise<Interrupt> {
  const { Interrupt } = await import("../host/interrupt.ts");
  if (isTraced || (view === null && !hasErrorTerminal())) return new Interrupt(tell);
  const { plainView, ShownInterrupt, terminalView } = await import("./progress.ts");
  const shown = view ??
    (errorTerminal()?.isDumb === true
      ? plainView(note)
      : terminalView(showStatus, columnsOfStderr));
  return new ShownInterrupt(shown, tell);
}

// The machines that `--kernel` asks for. The modules are loaded only for command lines that use it.
async function machinesAskedFor(
  values: Readonly<Record<string, unknown>>,
  args: readonly string[],
  operands: readonly string[],
  given: readonly string[],
): Promise<MachineRequest | null> {
  if (!args.some(asksMachine)) return null;
  const { machineRequest } = await import("./machine_request.ts");
  const { sourceCommit } = await import("./origin.ts");
  const host = { commandLine: ["dirtyring", ...given], commit: sourceCommit() };
  return machineRequest(values, args, operands, host);
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

// How calls are traced. On the model time stamps would say nothing, and differ each time.
function traceOrder(values: Readonly<Record<string, unknown>>): TraceOrder | null {
  const file = values["trace"] as TraceChoice | null; // as its option parses it
  if (file === null) return null;
  const isTimed = values["no-times"] !== true &&
    (values["times"] === true || values["backend"] !== "model");
  return { file: file.file, sinceMs: isTimed ? performance.timeOrigin + performance.now() : null };
}

// Loaded late: few command lines are traced.
async function beginTrace(order: TraceOrder): Promise<(call: string) => void> {
  const { beginTrace, traceWriter } = await import("../host/tracing.ts");
  if (order.file !== null) beginTrace(order.file);
  return traceWriter(order, Deno.pid);
}

/** Advice for users without a usable /dev/kvm, appended to the error. */
const OR_MODEL = "; or try the model of a kernel: --backend model";

/** What the report of an error depends on. */
export interface ErrorReport {
  /** The command line. */
  readonly args: readonly string[];
  /** Whether its exit status is for `git bisect run`. */
  readonly isBisected: boolean;
  /** Whether it used this host's own kernel, and could have used the model. */
  readonly couldAskModel: boolean;
}

/**
 * Reports an error on standard error.
 *
 * @param report Describes the command line.
 * @returns The exit status for the error: README.md, "Exit statuses".
 */
async function reportError(
  thrown: unknown,
  { args, isBisected, couldAskModel }: ErrorReport,
): Promise<number> {
  let short = exhaustion(thrown);
  const failure = await machineFailure(args, thrown).catch((late) => {
    short ??= exhaustion(late); // no file descriptor is left to load the module
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
  sayError(`${what}${messageOf(error, wantsStack)}${orModel}`);
  if (wantsStack) stackOf(thrown).forEach(say);
  failure?.lines.forEach(say);
  return status;
}

// V8 has no error class of its own for an array that does not fit into memory.
function isOutOfMemory(error: unknown): boolean {
  return error instanceof RangeError && /allocation failed|Invalid typed array/.test(error.message);
}

function statusOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.USAGE;
  if (error instanceof KernelError || error instanceof LimitError) return EXIT.KERNEL;
  if (error instanceof GuestError) return EXIT.KERNEL;
  if (error instanceof OutputError) return EXIT.KERNEL;
  if (isOutOfMemory(error)) return EXIT.KERNEL;
  return error instanceof HostError ? EXIT.HOST : EXIT.DEFECT;
}

// The message of an error, with its class if `isNamed`.
function messageOf(error: unknown, isNamed: boolean): string {
  if (!(error instanceof Error)) return String(error);
  // The lower layers name values; on the command line these are options.
  const message = error instanceof WordedError ? error.said(optionFlag) : error.message;
  const name = error instanceof UsageError ? "UsageError" : error.name;
  return isNamed ? `${name}: ${message}` : message;
}

function stackOf(error: unknown): string[] {
  const stack = error instanceof Error ? error.stack ?? "" : "";
  return stack.split("\n").filter((line) => /^ {4}at /.test(line));
}

// What to report of a failed machine of `--kernel`. The module is loaded only for command lines
// that use one.
async function machineFailure(args: readonly string[], error: unknown) {
  if (!args.some(asksMachine)) return null;
  const module = await import("./in_machine.ts");
  return module.machineFailure(error);
}
