import {
  type Command,
  defineCommand,
  type Formatter,
  interruptStatus,
  json,
  type LateFormatter,
} from "../../cli/command.ts";
import type { Context } from "../../cli/context.ts";
import type { Outlet } from "../../cli/context.ts";
import { bisectOption } from "../../cli/global_options.ts";
import {
  choice,
  count,
  flag,
  globs,
  optionalCount,
  optionalDuration,
  optionFlag,
} from "../../cli/option.ts";
import { hasFailed } from "../../conformance/kit/check.ts";
import type { CheckReport } from "../../conformance/runner/check_report.ts";
import type { Watcher } from "../../conformance/runner/conformance.ts";
import type { KernelsReport } from "../../conformance/runner/kernels_report.ts";
import type { CheckList } from "../../conformance/runner/select_checks.ts";
import type { Backend, ModelChoice } from "../../host/backend.ts";
import { EXIT, UsageError } from "../../host/errors.ts";
import { kernelsStatus } from "../../host/kernel_run.ts";
import type { Page } from "../../report/page.ts";
import type { Baseline } from "../compare/baseline.ts";
import { baselineOption, comparedStatus } from "../compare/compare_options.ts";
import type { Compared } from "../compare/compare_result.ts";
import { backendOptions } from "../lab_options.ts";

/** The results that `dirtyring check` may have. */
export type CheckOutcome =
  | Compared<CheckReport>
  | CheckList
  | Compared<KernelsReport>;

type CheckFormat = Formatter<CheckOutcome, unknown>;

// Makes a format from one that takes a single schema. `run` rejects options that would give another
// schema.
function of<Schema extends CheckOutcome["schema"]>(
  schema: Schema,
  format: (
    outcome: Extract<CheckOutcome, { schema: Schema }>,
    page: Page,
  ) => Iterable<string>,
): CheckFormat {
  return (outcome, _, page) =>
    outcome.schema === schema
      ? format(outcome as Extract<CheckOutcome, { schema: Schema }>, page) // as the schema says
      : [];
}

// Puts the comparison of --expect behind a format.
const withComparison =
  (load: LateFormatter<CheckOutcome, unknown>, how: "text" | "comments"): typeof load =>
  async (outcome) => {
    const format = await load(outcome);
    if (outcome.schema === "dirtyring.check-list/1" || outcome.comparison === undefined) {
      return format;
    }
    const { comparisonComments, comparisonText } = await import("../compare/baseline.ts");
    return function* (_, options, page) {
      yield* format(outcome, options, page);
      yield* how === "text" ? comparisonText(outcome, page) : comparisonComments(outcome, page);
    };
  };

// For a single kernel, the head and the checks were printed as they came.
const text: LateFormatter<CheckOutcome, unknown> = async (result) => {
  switch (result.schema) {
    case "dirtyring.check/1": {
      const { checkEndText } = await import("./check_text.ts");
      const { checks, strict } = result;
      if (!checks.some((check) => hasFailed(check, strict))) return of(result.schema, checkEndText);
      const { checkAgainText } = await import("./check_again.ts");
      return of(result.schema, function* (report, page) {
        yield* checkEndText(report, page);
        yield* checkAgainText(report, page);
      });
    }
    case "dirtyring.check-list/1":
      return of(result.schema, (await import("./check_text.ts")).checkListText);
    case "dirtyring.check-kernels/1":
      return of(result.schema, (await import("./check_kernels_text.ts")).checkKernelsText);
  }
};

const ktap: LateFormatter<CheckOutcome, unknown> = async ({ schema }) =>
  schema === "dirtyring.check-kernels/1"
    ? of(schema, (await import("./check_ktap.ts")).checkKernelsKtap)
    : of("dirtyring.check/1", (await import("./check_ktap.ts")).checkKtap);

const junit: LateFormatter<CheckOutcome, unknown> = async ({ schema }) => {
  const when = new Date();
  if (schema === "dirtyring.check-kernels/1") {
    const { checkKernelsJunit } = await import("./check_junit.ts");
    return of(
      schema,
      (report, { clock }) => checkKernelsJunit(report, { when: clock ? when : null }),
    );
  }
  const { checkJunit: format } = await import("./check_junit.ts");
  return of(
    "dirtyring.check/1",
    (report, { clock }) => format(report, { when: clock ? when : null }),
  );
};

const ndjson: LateFormatter<CheckOutcome, unknown> = async () =>
  of("dirtyring.check/1", (await import("./check_ndjson.ts")).checkEndNdjson);

/** The formats of `dirtyring check`. */
export const CHECK_FORMATS: Readonly<Record<string, LateFormatter<CheckOutcome, unknown>>> = {
  text: withComparison(text, "text"),
  ktap: withComparison(ktap, "comments"),
  junit,
  json,
  ndjson,
};

/**
 * The exit status for a report of checks: README.md, "Exit statuses".
 *
 * @returns 1 if a check failed; 70 if all failures are defects of this program; 4 if no check could
 * be made; otherwise as for an interrupt, a closed pipe, or 0.
 */
export function reportStatus(report: CheckReport): number {
  const { checks, summary, strict, complete, interrupted } = report;
  const failed = checks.filter((check) => hasFailed(check, strict));
  if (failed.length > 0) return failed.every(({ defect }) => defect) ? EXIT.DEFECT : EXIT.BROKEN;
  if (interrupted !== null) return interruptStatus(interrupted);
  if (!complete) return EXIT.CLOSED_PIPE;
  return summary.pass + summary.known > 0 ? EXIT.OK : EXIT.HOST;
}

interface CheckOptions {
  readonly backend: Backend;
  readonly model: ModelChoice | undefined;
  readonly only: readonly string[];
  readonly skip: readonly string[];
  readonly list: boolean;
  readonly timeout: number | undefined;
  readonly seed: number | undefined;
  readonly repeat: number;
  readonly strict: boolean;
  readonly "allow-warn": boolean;
  readonly "allow-harm": boolean;
  readonly bisect: boolean;
  readonly expect: string | undefined;
}

async function watcher(options: CheckOptions, ids: string[], context: Context): Promise<Watcher> {
  const { textProgress, together } = await import("./check.ts");
  const watchers: Watcher[] = [];
  for (const outlet of context.outlets) {
    if (outlet.format === "text") {
      watchers.push(textProgress(outlet, ids, options.seed === undefined));
    }
    if (outlet.format !== "ndjson") continue;
    watchers.push((await import("./check_ndjson.ts")).ndjsonProgress(outlet));
  }
  return together(watchers);
}

// The report of --expect, read before a check is made.
async function expected(
  { expect, list }: CheckOptions,
  { machines }: Context,
): Promise<Baseline | null> {
  if (expect === undefined) return null;
  if (list) throw new UsageError("--expect: does not go with --list, which makes no check");
  const { Baseline } = await import("../compare/baseline.ts");
  const kernels = machines?.choices.length ?? 1;
  const schema = kernels === 1 ? "dirtyring.check/1" : "dirtyring.check-kernels/1";
  const baseline = new Baseline({ option: "--expect", path: expect, schema, failAbove: 0 });
  baseline.mustHaveKernels(kernels);
  return baseline;
}

async function run(options: CheckOptions, context: Context): Promise<CheckOutcome> {
  const baseline = await expected(options, context);
  const outcome = await made(options, context);
  if (baseline === null || outcome.schema === "dirtyring.check-list/1") return outcome;
  const { checksAskedFor } = await import("./check.ts");
  const { ALL_CHECKS } = await import("../../conformance/statements/all_checks.ts");
  const ids = new Set(checksAskedFor(ALL_CHECKS, options).map(({ id }) => id));
  const compared = outcome.schema === "dirtyring.check/1"
    ? baseline.compared(outcome, { ids })
    : baseline.compared(outcome, { ids });
  const { noteComparison } = await import("../compare/baseline.ts");
  noteComparison(compared, context);
  return compared;
}

async function made(options: CheckOptions, context: Context): Promise<CheckOutcome> {
  const { list, bisect } = options;
  if (list && bisect) {
    throw new UsageError("--bisect: does not go with --list, which asks no kernel");
  }
  if (context.machines !== null) refuseMachines(options, context.machines, context.outlets);
  const other = context.outlets.find(({ format }) => format !== "text" && format !== "json");
  if (list && other !== undefined) {
    throw new UsageError(`--list: works with --format text or json, not with ${other.format}`);
  }
  const { checksAskedFor } = await import("./check.ts");
  const { ALL_CHECKS } = await import("../../conformance/statements/all_checks.ts");
  const asked = checksAskedFor(ALL_CHECKS, options);
  // Harmful checks come last: a kernel that was harmed is not asked anything else.
  const plan = options["allow-harm"] && context.machines === null && !list
    ? [...asked.filter(({ harms }) => !harms), ...asked.filter(({ harms }) => harms)]
    : asked;
  if (list) return (await import("../../conformance/runner/select_checks.ts")).listChecks(plan);
  const watched = await watcher(options, plan.map(({ id }) => id), context);
  // What is printed on the terminal as it comes is progress enough.
  const isSeen = context.terminal !== null &&
    context.outlets.some(({ format, path }) =>
      path === "-" && (format === "text" || format === "ndjson")
    );
  const seen = isSeen ? watched : { ...watched, listen: context.listen };
  const { machines } = context;
  if (machines !== null) {
    const { checkKernel, checkKernels } = await import("./check_machines.ts");
    return machines.choices.length === 1
      ? await checkKernel(machines, plan, seen, context)
      : await checkKernels(machines, plan, context);
  }
  const { conformance } = await import("../../conformance/runner/conformance.ts");
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

// Rejects options that cannot be combined with machines, or with several of them.
function refuseMachines(
  { list, bisect }: CheckOptions,
  { choices }: NonNullable<Context["machines"]>,
  outlets: readonly Outlet[],
): void {
  if (list) throw new UsageError("--list: does not go with --kernel, since it asks no kernel");
  if (choices.length === 1) return;
  if (bisect) throw new UsageError("--bisect: takes one --kernel: a commit has one answer");
  if (outlets.some(({ format }) => format === "ndjson")) {
    throw new UsageError("--format ndjson: works with one --kernel; json tells of several");
  }
}

function statusOf(outcome: CheckOutcome, { bisect }: Pick<CheckOptions, "bisect">): number {
  switch (outcome.schema) {
    case "dirtyring.check-list/1":
      return 0;
    case "dirtyring.check/1":
      // Whoever interrupts a bisection wants it to end, whatever was found so far.
      if (bisect && outcome.interrupted !== null) return interruptStatus(outcome.interrupted);
      return comparedStatus(reportStatus(outcome), outcome);
    default: {
      const statuses = outcome.kernels.map(({ status }) => status);
      const own = kernelsStatus(statuses, interruptStatus(outcome.interrupted));
      return comparedStatus(own, outcome);
    }
  }
}

// The ids of all checks, and their groups.
async function ids(): Promise<readonly string[]> {
  const { ALL_CHECKS } = await import("../../conformance/statements/all_checks.ts");
  const all = ALL_CHECKS.map(({ id }) => id);
  return [...new Set(all.map((id) => id.replace(/\..*/, ".*"))), ...all];
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
    only: globs("only checks whose id matches one of these globs", "all", ids),
    skip: globs("no check whose id matches one of these globs", "none", ids),
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
    expect: baselineOption(
      "say how the answers differ from those in FILE, and exit with 1 if a statement got worse",
    ),
    format: choice("how the result is written", ["text", "ktap", "junit", "json", "ndjson"]),
  },
  often: ["only", "skip", "format", "bisect"],
  examples: [
    ["dirtyring check", "every statement that /dev/kvm can show"],
    ["dirtyring check --backend model --model v5.11", "all of them, on a kernel in memory"],
    [
      "dirtyring check --only 'reset.*' --skip 'reset.signal*' --format ktap --output result.ktap",
      "some, for the kernel's kunit.py parse",
    ],
    ["dirtyring check --only 'reset.*' --bisect", "in a script for git bisect run"],
    ["dirtyring check --expect known.json", "what changed since known.json was written"],
    ["dirtyring check --list --format json", "what there is, without a kernel"],
  ],
  formats: CHECK_FORMATS,
  run,
  asksMachines: () => true,
  status: statusOf,
});
