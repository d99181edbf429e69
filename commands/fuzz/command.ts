import {
  type Command,
  defineCommand,
  type Formatter,
  interruptStatus,
  json,
} from "../../cli/command.ts";
import { bisectOption } from "../../cli/global_options.ts";
import { choice, type Operand, type Option, optionalCount } from "../../cli/option.ts";
import type { FuzzKernels, FuzzResult } from "../../conformance/fuzz/fuzz.ts";
import { EXIT, UsageError } from "../../host/errors.ts";
import type { Watched } from "../../host/kernel_log.ts";
import { kernelsStatus } from "../../host/kernel_run.ts";
import { modelOption } from "../lab_options.ts";

/** How many programs to run by default. */
export const PROGRAMS = 100;
/** The default seed: it is fixed, so that every run can be repeated. */
export const SEED = 1;

type Outcome = Watched<FuzzResult> | FuzzKernels;

const programs: Operand<number | undefined> = {
  ...optionalCount("how many programs", { min: 1 }, `${PROGRAMS}`),
  value: "N",
  isRequired: false,
};

const file: Option<string | undefined> = {
  value: "FILE",
  help: "run the program in FILE instead, as a mismatch is printed; - is standard input",
  fallback: undefined,
  fallbackText: "none",
  file: (path) => path === undefined ? null : { path, use: "read" },
  completes: { path: "file" },
  parse: (text) => text,
};

async function text(result: Outcome): Promise<Formatter<Outcome, unknown>> {
  if (result.schema === "dirtyring.fuzz/1") {
    const { fuzzText } = await import("./fuzz_text.ts");
    return (_, __, page) => fuzzText(result, page);
  }
  const { fuzzKernelsText } = await import("./fuzz_text.ts");
  return (_, __, page) => fuzzKernelsText(result, page);
}

/** `dirtyring fuzz` */
export const command: Command = defineCommand({
  name: "fuzz",
  summary: "random programs of kernel calls on /dev/kvm and on the model: do they agree?",
  details:
    "Each program makes slots come, move and go, stores to them, harvests and resets, on /dev/kvm and on the model, " +
    "which are compared call by call. A mismatch is shrunk and printed as a script that --file runs again, and the " +
    "exit status is 1. With --bisect it is 125 for all that says nothing about the kernel, 129 for a wrong " +
    "command line.",
  operands: { programs },
  options: {
    model: {
      ...modelOption,
      fallbackText: "the version and the processor of the kernel that it is held against",
    },
    file,
    seed: optionalCount(
      "the seed of the programs; the same one gives the same ones",
      {},
      `${SEED}`,
    ),
    bisect: bisectOption,
    format: choice("how the result is written", ["text", "json"]),
  },
  often: ["seed", "file"],
  examples: [
    ["dirtyring fuzz 100 --seed 2", "do this kernel and the model agree?"],
    ["dirtyring fuzz 50 --bisect", "in a script for git bisect run"],
  ],
  formats: { text, json },
  async run(options, context): Promise<Outcome> {
    if (context.machines !== null) {
      if (options.bisect) {
        throw new UsageError("--bisect: takes one --kernel: a commit has one answer");
      }
      const { fuzzInMachines } = await import("./fuzz.ts");
      return await fuzzInMachines(context.machines, options.file, file, context);
    }
    const { runFuzz } = await import("./fuzz.ts");
    return await runFuzz(options, context);
  },
  // A single kernel runs the command in its machine; the results of several are put together here.
  asksMachines: (_, machines) => machines > 1,
  status(outcome, { bisect }) {
    const interrupted = interruptStatus(outcome.interrupted);
    if (outcome.schema === "dirtyring.fuzz-kernels/1") {
      return kernelsStatus(outcome.kernels.map(({ status }) => status), interrupted);
    }
    // Whoever interrupts a bisection wants it to end, whatever was found so far.
    if (bisect && outcome.interrupted !== null) return interrupted;
    return outcome.ok ? interrupted : EXIT.BROKEN;
  },
});
