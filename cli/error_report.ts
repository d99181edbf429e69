import { HostError, WordedError } from "../ffi/host_error.ts";
import { KernelError } from "../ffi/kernel_error.ts";
import { exhaustion } from "../lab/exhaustion.ts";
import { EXIT } from "../lab/exit_status.ts";
import { GuestError } from "../lab/guest_error.ts";
import { UsageError } from "../lab/usage_error.ts";
import { optionFlag } from "./option.ts";
import { note, OutputError, say } from "./printing.ts";
import { asksMachine } from "./vm_options.ts";

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
export async function reportError(
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
  const module = await import("./machine_failure.ts");
  return module.machineFailure(error);
}
