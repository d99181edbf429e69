import { bisectStatus } from "./commands/bisect_status.ts";
import { GLOBAL_OPTIONS } from "./commands/global_options.ts";
import type { Command, Context } from "./commands/command.ts";
import type { MachineRequest } from "./commands/machine_request.ts";
import { optionName, VM_OPTIONS } from "./commands/vm_options.ts";
import { optionFlag, type OptionTable } from "./commands/option.ts";
import { OutputStream } from "./commands/output_stream.ts";
import { parseLine } from "./commands/parse.ts";
import { loadCommand } from "./commands/registry.ts";
import { HostError, WordedError } from "./ffi/host_error.ts";
import { KernelError } from "./ffi/kernel_error.ts";
import { openKernel } from "./lab/backend.ts";
import { exhaustion, needDescriptors } from "./lab/exhaustion.ts";
import { EXIT } from "./lab/exit_status.ts";
import { surviveFileLimit } from "./lab/file_limit.ts";
import { GuestError } from "./lab/guest_error.ts";
import { UsageError } from "./lab/usage_error.ts";
import { printable, printableLine, printableText } from "./text/printable.ts";
import type { TerminalText } from "./text/terminal_text.ts";

/** What a person without a usable /dev/kvm can do too, told behind the error. */
const OR_MODEL = "; or try the model of a kernel: --backend model";

/** With fewer file descriptors left Deno would panic in the midst of a run, with a status that means something else. */
const LEAST_DESCRIPTORS = 8;

const encoder = new TextEncoder();
/** Bytes gathered before they are written: a line each would be a system call each. */
const WRITE_AT = 1 << 16;

/** What a command line runs in: a process of this machine, or of one that was booted for it. */
export interface World {
  /** The terminal that standard output is, or `null`. */
  terminal(): { readonly columns: number } | null;
  /** Tells who watches from outside which step is under way. */
  announce(what: string): void;
  /** The kernel that options ask for; {@linkcode openKernel} unless given. */
  readonly openKernel?: typeof openKernel;
}

/** Which kernel a command line turned out to ask for, which decides what is said of an error. */
interface Asked {
  /** Whether it is the one of this machine. */
  ofThisMachine: boolean;
}

/** What standard output is given, where that is a terminal: `null` where it is none. */
let screen: TerminalText | null = null;

// All that is printed passes here: a file, a kernel or a process may have had a word in it.
function guarded(text: string): string {
  return screen === null ? printableText(text) : screen.pass(text);
}

/** Standard output failed for another reason than a closed pipe: a full disk, say. */
class OutputError extends Error {}

// Writes all of it. A closed pipe ends the printing silently: what was read was enough. Answers whether
// somebody still reads.
function print(chunks: Iterable<string>): boolean {
  let text = "";
  try {
    if (!Deno.stdout.isTerminal()) surviveFileLimit();
    for (const chunk of chunks) {
      text += chunk;
      if (text.length < WRITE_AT) continue;
      writeAll(text);
      text = "";
    }
    writeAll(text);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return false;
    throw outputError(error);
  }
}

function outputError(error: unknown): OutputError {
  const why = error instanceof Error ? error.message : String(error);
  return new OutputError(`standard output: ${why}; the result is not written whole`);
}

function writeAll(text: string): void {
  let bytes = encoder.encode(guarded(text));
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
    } catch (error) {
      // Another program made the pipe non-blocking: wait until its reader has read some.
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

// The terminal that standard output is; one that does not tell its width has the usual one.
function terminal(): { readonly columns: number } | null {
  if (!Deno.stdout.isTerminal()) return null;
  try {
    return { columns: Deno.consoleSize().columns };
  } catch {
    return { columns: 80 };
  }
}

// Progress on standard output, whose module few commands need.
function openProgress() {
  let stream: OutputStream | null = null;
  const failing = <Answer>(write: () => Answer): Answer => {
    try {
      return write();
    } catch (error) {
      throw outputError(error);
    }
  };
  return {
    print(chunks: Iterable<string>): boolean {
      stream ??= new OutputStream((bytes) => Deno.stdout.write(bytes));
      const text = [...chunks].join("");
      return failing(() => stream!.print([guarded(text)]));
    },
    async end(): Promise<void> {
      if (stream === null) return;
      await stream.drained().catch((error) => {
        throw outputError(error);
      });
      if (stream.dropped > 0) note(`${stream.dropped} lines of progress were not read in time`);
    },
  };
}

// What cannot be said on standard error changes neither the result nor the status.
function say(line: string): void {
  try {
    console.error(printableLine(line));
  } catch {
    // There is nowhere left to say it.
  }
}

// A line that is drawn over: what is said next takes its place.
function showStatus(text: string): void {
  if (!Deno.stderr.isTerminal()) return;
  try {
    Deno.stderr.writeSync(encoder.encode(`\r\x1b[K${printableLine(text)}`));
  } catch {
    // As above.
  }
}

function note(text: string): void {
  say(`dirtyring: ${text}`);
}

async function main(args: readonly string[], world: World, asked: Asked): Promise<number> {
  const at = args.findIndex((arg) => !arg.startsWith("-"));
  const name = at === -1 ? undefined : args[at];
  if (name === undefined || name === "help") return await withoutCommand(args, at);
  const before = args.slice(0, at).find((arg) => !isGlobalFlag(arg.slice(2)));
  if (before !== undefined) {
    const what = printable(before);
    throw new UsageError(
      `${what}: the command comes first; expected dirtyring COMMAND ${what} ...`,
    );
  }
  const command = await loadCommand(name);
  const rest = [...args.slice(0, at), ...args.slice(at + 1)];
  const options = { ...command.options, ...GLOBAL_OPTIONS };
  const { values, operands, given } = await parseLine(rest, options);
  if (values["version"] === true) return await version();
  if (values["help"] === true) return await help(name);
  if (operands.length > 0) {
    throw new UsageError(
      `unexpected ${printable(operands[0]!)}; expected dirtyring ${name} [OPTION ...]`,
    );
  }
  if (writesFile(options, values)) surviveFileLimit();
  const trace = values["trace"] === true ? say : null;
  const progress = openProgress();
  const machines = await machinesAskedFor(values, [name, ...given]);
  const context: Context = {
    openKernel: (selection) => (world.openKernel ?? openKernel)(selection, trace, note),
    note,
    say,
    status: showStatus,
    print,
    stream: progress.print,
    terminal: world.terminal(),
    machines,
    announce: world.announce,
    trace: trace !== null,
  };
  asked.ofThisMachine = machines === null && values["backend"] === "kvm";
  if (machines !== null && !command.asksMachines(values, machines.choices.length)) {
    return await runInMachine(machines, values, command, context);
  }
  const { output, status } = await command.execute(values, context);
  await progress.end();
  print(output);
  return status;
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

function isOfMachines(arg: string): boolean {
  return Object.hasOwn(VM_OPTIONS, optionName(arg) ?? "");
}

// What `--kernel` asks for: few command lines do, and the modules are not loaded for the others.
async function machinesAskedFor(
  values: Readonly<Record<string, unknown>>,
  args: readonly string[],
): Promise<MachineRequest | null> {
  if (!args.some(isOfMachines)) return null;
  const { machineRequest } = await import("./commands/machine_request.ts");
  return machineRequest(values, args);
}

async function runInMachine(
  machines: MachineRequest,
  values: Readonly<Record<string, unknown>>,
  { name, options }: Command,
  context: Context,
): Promise<number> {
  if (machines.choices.length > 1) {
    throw new UsageError(
      `--kernel: ${name} runs on one; check, check --fuzz and bench compare several`,
    );
  }
  const module = await import("./commands/in_machine.ts");
  return await module.runInMachine(machines, values, options, context);
}

// `dirtyring`, `dirtyring --help`, `dirtyring --version`, `dirtyring help [COMMAND]`.
async function withoutCommand(args: readonly string[], at: number): Promise<number> {
  const rest = at === -1 ? args : [...args.slice(0, at), ...args.slice(at + 1)];
  const { values, operands } = await parseLine(rest, GLOBAL_OPTIONS);
  if (values["version"] === true) return await version();
  if (operands.length > 1) {
    throw new UsageError(`unexpected ${printable(operands[1]!)}; expected one command`);
  }
  if (at !== -1 || values["help"] === true) return await help(operands[0]);
  throw new UsageError("a command is missing; dirtyring help lists them");
}

async function help(name?: string): Promise<number> {
  const module = await import("./commands/help.ts");
  print(await module.help(name));
  return 0;
}

async function version(): Promise<number> {
  const { VERSION } = await import("./commands/version.ts");
  print([`dirtyring ${VERSION}\n`]);
  return 0;
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

/**
 * Runs a command line, and says on standard error what went wrong.
 *
 * @param args What follows the program's name.
 * @param world What it runs in.
 * @returns The exit status.
 */
export async function commandLine(args: readonly string[], world: World): Promise<number> {
  let status: number;
  const isBisected = args.includes("--bisect");
  const asked: Asked = { ofThisMachine: false };
  try {
    needDescriptors(LEAST_DESCRIPTORS, "this program");
    if (world.terminal() !== null) {
      const { TerminalText } = await import("./text/terminal_text.ts");
      screen = new TerminalText();
    }
    status = await main(args, world, asked);
    if (screen !== null) print([screen.end()]);
  } catch (thrown) {
    let short = exhaustion(thrown);
    const failure = await machineFailure(args, thrown).catch((late) => {
      short ??= exhaustion(late); // no file descriptor is left to load it with
      return null;
    });
    const error = short ?? thrown;
    status = isBisected && failure?.saysNothing ? EXIT.MACHINE : failure?.status ?? statusOf(error);
    if (failure?.isTold) return status;
    const wantsStack = args.includes("--verbose");
    const what = status === EXIT.DEFECT
      ? "a defect of dirtyring, please report it with the output of --verbose: "
      : isOutOfMemory(error)
      ? "out of memory, ask for less with --pages, --ring or --vcpus: "
      : "";
    const orModel = asked.ofThisMachine && error instanceof HostError ? OR_MODEL : "";
    note(`${what}${messageOf(error, wantsStack)}${orModel}`);
    if (wantsStack) stackOf(thrown).forEach(say);
    failure?.lines.forEach(say);
  }
  // A command line that is wrong, and a defect, are answers to git, too.
  return isBisected ? bisectStatus(status) : status;
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
  if (!args.some(isOfMachines)) return null;
  const module = await import("./commands/machine_failure.ts");
  return module.machineFailure(error);
}

if (import.meta.main) {
  const status = await commandLine(Deno.args, { terminal, announce: () => {} });
  // Not by returning: a listener or a library must not be able to keep the process alive.
  Deno.exit(status);
}
