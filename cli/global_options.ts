// The options that every command has, among them those of `--kernel`.
import type { VmAccel, VmCpu } from "../vm/vm_failure.ts";
import {
  choice,
  type Completion,
  flag,
  memorySize,
  type Option,
  optionalCount,
  optionalDuration,
} from "./option.ts";
import { type OutputChoice, outputOption } from "./output_places.ts";
import { COLOR_CHOICES, type ColorChoice } from "./terminal.ts";

/** Arguments after `--` are passed by the kernel to process 1. */
const TO_INIT = /(^|\s)--(\s|$)/;

/** Makes an option that may be given once for each kernel. */
function forEach(
  value: string,
  help: string,
  fallbackText: string | null,
  expected: string,
  { refused = /^$/, completes = {} }: {
    readonly refused?: RegExp;
    readonly completes?: Completion;
  },
): Option<readonly string[]> {
  return {
    value,
    help,
    fallback: [],
    fallbackText,
    isMany: true,
    completes,
    parse(text) {
      if (text !== "" && !refused.test(text)) return [text];
      throw new SyntaxError(`expected ${expected}`);
    },
  };
}

const vmCpu: Option<readonly VmCpu[]> = {
  value: "amd|intel",
  help: "its processor: amd is QEMU's in software, intel is Bochs' with EPT and PML (slow)",
  fallback: [],
  fallbackText: "amd, or this host's with --vm-accel kvm",
  choices: ["amd", "intel"],
  isMany: true,
  parse(text) {
    if (text === "amd" || text === "intel") return [text];
    throw new SyntaxError("expected amd or intel");
  },
};

/** The options that let any command run on another kernel, in a temporary machine. */
export const VM_OPTIONS: {
  readonly kernel: Option<readonly string[]>;
  readonly modules: Option<readonly string[]>;
  readonly "kernel-args": Option<readonly string[]>;
  readonly "vm-accel": Option<VmAccel>;
  readonly "vm-cpu": Option<readonly VmCpu[]>;
  readonly "vm-cpus": Option<number | undefined>;
  readonly "vm-memory": Option<number>;
  readonly "vm-timeout": Option<number | undefined>;
} = {
  kernel: forEach(
    "FILE|TREE",
    "run on this kernel, booted in a machine of its own: a bzImage, a built tree, a vmlinuz of /boot, or an " +
      "unpacked package; check, fuzz and bench take several",
    "the kernel of this host",
    "a bzImage, or a tree in which one was built",
    { completes: { path: "file" } },
  ),
  modules: forEach("DIR", "the modules of --kernel", "found beside it", "a folder", {
    completes: { path: "folder" },
  }),
  "kernel-args": forEach(
    "ARGS",
    "more of its command line; what is meant for a module is handed to it (kvm_amd.npt=0)",
    "none",
    "kernel arguments, without --",
    { refused: TO_INIT },
  ),
  "vm-accel": choice(
    "what runs that machine: KVM, software, or auto: KVM where this host has it nested",
    ["auto", "kvm", "tcg"],
  ),
  "vm-cpu": vmCpu,
  "vm-cpus": optionalCount("its virtual CPUs", { min: 1, max: 64 }, "2, with Bochs 1"),
  "vm-memory": memorySize("its memory", 2 ** 31, "2GiB"),
  "vm-timeout": optionalDuration("the longest that it may run", "15m, with Bochs 60m"),
};

/**
 * Whether a word of a command line is one of the options for a machine of `--kernel`.
 *
 * @param arg The word: `--name=value`, or `--name`.
 */
export function asksMachine(arg: string): boolean {
  return Object.hasOwn(VM_OPTIONS, optionName(arg) ?? "");
}

/**
 * A command line without some options.
 *
 * @example
 * ```ts
 * import { withoutOptions } from "./global_options.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const args = ["dump", "--kernel=bzImage", "--pages=3", "--vm-cpus=1", "--trace="];
 * assertEquals(withoutOptions(args, ["kernel", "vm-cpus"]), ["dump", "--pages=3", "--trace="]);
 * ```
 *
 * @param args The command line, each option and its value in one word: `--name=value`.
 * @param names The options to remove, without dashes.
 */
export function withoutOptions(args: readonly string[], names: readonly string[]): string[] {
  return args.filter((arg) => !names.includes(optionName(arg) ?? ""));
}

/**
 * The name of the option that a word of a command line is.
 *
 * @param arg The word: `--name=value`, or a flag.
 * @returns The name without dashes, or `null` if the word is no option.
 */
export function optionName(arg: string): string | null {
  return arg.startsWith("--") ? arg.slice(2).split("=", 1)[0]! : null;
}

/** Where a trace goes. */
export interface TraceChoice {
  /** The file; `null` for standard error. */
  readonly file: string | null;
}

const trace: Option<TraceChoice | null> = {
  value: "FILE",
  isValueOptional: true,
  help:
    "show every kernel call on stderr, or in FILE: thread, seconds (where times are shown), name, " +
    "arguments, answer",
  fallback: null,
  fallbackText: "off",
  file: (choice) => choice?.file ? { path: choice.file, use: "write" } : null,
  completes: { path: "file" },
  parse: (text) => ({ file: text === "" ? null : text }),
};

/** The options of every command. */
export const GLOBAL_OPTIONS: typeof VM_OPTIONS & {
  readonly output: Option<readonly OutputChoice[]>;
  readonly times: Option<boolean>;
  readonly "no-times": Option<boolean>;
  readonly "no-provenance": Option<boolean>;
  readonly color: Option<ColorChoice>;
  readonly quiet: Option<boolean>;
  readonly "only-failures": Option<boolean>;
  readonly "no-header": Option<boolean>;
  readonly trace: Option<TraceChoice | null>;
  readonly verbose: Option<boolean>;
  readonly help: Option<boolean>;
  readonly version: Option<boolean>;
} = {
  ...VM_OPTIONS,
  output: outputOption,
  times: flag("show times on the model, too; they say nothing about a kernel"),
  "no-times": flag("show no time, so that the same counts give the same output"),
  "no-provenance": flag("leave out of JSON where a result comes from: program, host, kernel, time"),
  color: choice(
    "auto colours a terminal, unless TERM=dumb; FORCE_COLOR comes before that, NO_COLOR before " +
      "FORCE_COLOR, and always or never before both",
    COLOR_CHOICES,
  ),
  quiet: flag("show failures and the verdict alone (text only)"),
  "only-failures": flag("leave out what holds (text only)"),
  "no-header": flag("leave out the kernel and the lab, and the names of CSV's columns"),
  trace,
  verbose: flag("show the stack of an error"),
  help: flag("show this help"),
  version: flag("show the version"),
};

const ABORT = 129;
const SKIP = 125;
const SIGNALS = 128;

/**
 * The option of commands whose exit status can be translated for git by {@linkcode bisectStatus}.
 */
export const bisectOption: Option<boolean> = flag(
  "answer for git bisect run: 0 good, 1 bad, 125 untested, from 128 on an end",
);

/**
 * Translates an exit status for `git bisect run`: 0 if the commit is good, 1 if it is bad, 125 if
 * it cannot be tested, and from 128 on to end the bisection. Whatever says nothing about the kernel
 * is 125: a host without KVM, a refused call, a defect of this program. A wrong command line would
 * be wrong for each commit, and all would be skipped, each after a boot. So it ends the bisection,
 * with the status that git's own commands use.
 *
 * @example
 * ```ts
 * import { bisectStatus } from "./global_options.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([0, 1, 2, 3, 4, 70, 130].map(bisectStatus), [0, 1, 129, 125, 125, 125, 130]);
 * ```
 *
 * @param status One of README.md, "Exit statuses".
 * @returns The status for git.
 */
export function bisectStatus(status: number): number {
  if (status === 0 || status === 1 || status >= SIGNALS) return status;
  return status === 2 ? ABORT : SKIP;
}
