import type { Watcher } from "../checks/conformance.ts";
import type { Backend } from "../lab/backend.ts";
import { kernelsStatus } from "../lab/kernel_run.ts";
import type { ModelChoice } from "../lab/model_choice.ts";
import { UsageError } from "../lab/usage_error.ts";
import { backendOptions } from "./backend_options.ts";
import { CHECK_FORMATS, type CheckOutcome } from "./check_formats.ts";
import { type Command, type Context, defineCommand } from "../cli/command.ts";
import { bisectOption } from "../cli/bisect_status.ts";
import { optionalDuration } from "../cli/duration.ts";
import { globs } from "../cli/globs.ts";
import { interruptStatus } from "../cli/interrupt_status.ts";
import { choice, count, flag, optionalCount, optionFlag } from "../cli/option.ts";
import { outputOption } from "../cli/output_option.ts";
import { reportStatus } from "./report_status.ts";

type Format = "text" | "ktap" | "junit" | "json" | "ndjson";

interface CheckOptions {
  readonly backend: Backend;
  readonly model: ModelChoice | undefined;
  readonly only: readonly string[];
  readonly skip: readonly string[];
  readonly list: boolean;
  readonly format: Format;
  readonly timeout: number | undefined;
  readonly seed: number | undefined;
  readonly repeat: number;
  readonly strict: boolean;
  readonly "allow-warn": boolean;
  readonly "allow-harm": boolean;
  readonly bisect: boolean;
}

async function watcher(options: CheckOptions, ids: string[], context: Context): Promise<Watcher> {
  const { textProgress, ndjsonProgress, NO_PROGRESS } = await import("./check_progress.ts");
  const print = (chunks: Iterable<string>) => context.print(chunks);
  if (options.format === "text") return textProgress(print, ids, options.seed === undefined);
  return options.format === "ndjson" ? ndjsonProgress(print) : NO_PROGRESS;
}

async function run(options: CheckOptions, context: Context): Promise<CheckOutcome> {
  const { list, format, bisect } = options;
  if (list && bisect) {
    throw new UsageError("--bisect: does not go with --list, which asks no kernel");
  }
  if (context.machines !== null) refuseMachines(options, context.machines);
  if (list && format !== "text" && format !== "json") {
    throw new UsageError(`--list: works with --format text or json, not with ${format}`);
  }
  const { checksAskedFor } = await import("./check_selection.ts");
  const { ALL_CHECKS } = await import("../checks/all_checks.ts");
  const asked = checksAskedFor(ALL_CHECKS, options);
  // A kernel that was harmed is asked nothing more.
  const plan = options["allow-harm"] && context.machines === null && !list
    ? [...asked.filter(({ harms }) => !harms), ...asked.filter(({ harms }) => harms)]
    : asked;
  if (list) return (await import("../checks/check_list.ts")).listChecks(plan);
  const seen = await watcher(options, plan.map(({ id }) => id), context);
  const { machines } = context;
  if (machines !== null) {
    const { checkKernel, checkKernels } = await import("./check_machines.ts");
    return machines.choices.length === 1
      ? await checkKernel(machines, plan, seen, context)
      : await checkKernels(machines, plan, context);
  }
  const { conformance } = await import("../checks/conformance.ts");
  return await conformance(
    await context.openKernel(options),
    plan,
    {
      model: options.model?.text,
      allowWarn: options["allow-warn"],
      allowHarm: options["allow-harm"],
      trace: context.trace,
      timeoutMs: options.timeout ?? null,
      naming: optionFlag,
      repeat: options.repeat,
      seed: options.seed,
      strict: options.strict,
    },
    { ...seen, check: (id) => context.announce(id) },
  );
}

// Options that say nothing of machines, or of several.
function refuseMachines(
  { list, format, bisect }: CheckOptions,
  { choices }: NonNullable<Context["machines"]>,
): void {
  if (list) throw new UsageError("--list: does not go with --kernel, since it asks no kernel");
  if (choices.length === 1) return;
  if (bisect) throw new UsageError("--bisect: takes one --kernel: a commit has one answer");
  if (format === "ndjson") {
    throw new UsageError("--format ndjson: works with one --kernel; json tells of several");
  }
}

function statusOf(outcome: CheckOutcome, { bisect }: Pick<CheckOptions, "bisect">): number {
  switch (outcome.schema) {
    case "dirtyring.check-list/1":
      return 0;
    case "dirtyring.check/1":
      // Who interrupts a bisection wants it to end, whatever was found by then.
      if (bisect && outcome.interrupted !== null) return interruptStatus(outcome.interrupted);
      return reportStatus(outcome);
    default: {
      const statuses = outcome.kernels.map(({ status }) => status);
      return kernelsStatus(statuses, interruptStatus(outcome.interrupted));
    }
  }
}

/** `dirtyring check` */
export const command: Command = defineCommand({
  name: "check",
  summary: "the conformance suite: one check for each statement of docs/abi.md",
  details:
    "Each check gets a VM of its own, in a process apart: one that ends that process fails alone, and one " +
    "that hangs is a timeout, which counts as failed. A check that this host cannot make is skipped, with the reason. A problem that the kernel reports in its log " +
    "while a check runs fails it. Known defects of the " +
    "kernel are reported as known. The exit status is 1 if a check failed, 4 if none could be made; with " +
    "--bisect 125 for all that says nothing about the kernel, 129 for a wrong command line.",
  options: {
    ...backendOptions(),
    only: globs("only checks whose id matches one of these globs", "all"),
    skip: globs("no check whose id matches one of these globs", "none"),
    list: flag("list the checks and make none; --format text or json"),
    timeout: optionalDuration(
      "the longest that a check may take",
      "10s, and longer where this host is measured to be slow",
    ),
    seed: optionalCount(
      "shuffle the checks; the same seed gives the same order",
      {},
      "not shuffled",
    ),
    repeat: count("make each check N times; it fails if it fails once", 1, { min: 1 }),
    strict: flag("a known defect of the kernel counts as failed"),
    "allow-warn": flag("also checks that make the kernel warn, which taints it"),
    "allow-harm": flag(
      "also checks that could harm a kernel without a fix: only in a machine that is thrown away",
    ),
    bisect: bisectOption,
    format: choice("how the result is written", ["text", "ktap", "junit", "json", "ndjson"]),
    output: outputOption,
  },
  examples: [
    ["dirtyring check", "every statement that /dev/kvm can show"],
    ["dirtyring check --backend model --model v5.11", "all of them, on a kernel in memory"],
    [
      "dirtyring check --only 'reset.*' --skip 'reset.signal*' --format ktap --output result.ktap",
      "some, for the kernel's kunit.py parse",
    ],
    ["dirtyring check --only 'reset.*' --bisect", "in a script for git bisect run"],
    ["dirtyring check --list --format json", "what there is, without a kernel"],
  ],
  formats: CHECK_FORMATS,
  run,
  asksMachines: () => true,
  status: statusOf,
});
