import {
  type Command,
  defineCommand,
  type Formatter,
  interruptStatus,
  json,
  type LateFormatter,
} from "../../cli/command.ts";
import type { Context, Outlet } from "../../cli/context.ts";
import {
  choice,
  count,
  list,
  memorySize,
  type Option,
  optionalCount,
  parsePath,
  ringSize,
} from "../../cli/option.ts";
import { KernelError } from "../../ffi/errors.ts";
import { parsePattern, type Pattern, PATTERN_WORDS } from "../../guest/pattern.ts";
import { UsageError } from "../../host/errors.ts";
import type { Watched } from "../../host/kernel_log.ts";
import { kernelsStatus } from "../../host/kernel_run.ts";
import { kernelLogText } from "../../report/notes.ts";
import { printable } from "../../text/printable.ts";
import type { Baseline } from "../compare/baseline.ts";
import {
  baselineOption,
  comparedStatus,
  FAIL_ABOVE,
  failAboveOption,
} from "../compare/compare_options.ts";
import type { Compared } from "../compare/compare_result.ts";
import { areTimesShown, backendOptions } from "../lab_options.ts";
import { watchKernel } from "../watch_kernel.ts";
import type { BenchResult } from "./bench.ts";
import type { BenchKernels } from "./bench_kernels.ts";
import { type BenchOptions, SWEEPS } from "./bench_options.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const MOST_PAGES = 2 ** 24;

type Outcome = Compared<Watched<BenchResult>> | Compared<BenchKernels>;

function isCompared(outcome: Outcome): outcome is BenchKernels {
  return outcome.schema === "dirtyring.bench-kernels/1";
}

const text: LateFormatter<Outcome, unknown> = async (result) => {
  const format = await ownText(result);
  if (result.comparison === undefined) return format;
  const { comparisonText } = await import("../compare/baseline.ts");
  return function* (outcome, options, page) {
    yield* format(outcome, options, page);
    yield* comparisonText(outcome, page);
  };
};

const ownText: LateFormatter<Outcome, unknown> = async (result) => {
  if (isCompared(result)) {
    const { benchKernelsText } = await import("./bench_kernels.ts");
    return (outcome, _, page) => isCompared(outcome) ? benchKernelsText(outcome, page) : [];
  }
  const { benchText } = await import("./bench_text.ts");
  return function* (outcome, _, page) {
    if (isCompared(outcome)) return;
    yield* benchText(outcome, page);
    yield* kernelLogText(outcome.kernelLog);
  };
};

async function svg(): Promise<Formatter<Outcome, unknown>> {
  const { benchSvg } = await import("./bench_svg.ts");
  return (outcome, _, page) => isCompared(outcome) ? [] : benchSvg(outcome, page);
}

async function csv(): Promise<Formatter<Outcome, unknown>> {
  const { benchCsv } = await import("./bench_csv.ts");
  return (outcome, options, page) => isCompared(outcome) ? [] : benchCsv(outcome, options, page);
}

const FORMS = "sequential, reverse, stride:N, random, window:N, zigzag or pingpong";

const patternOption: Option<Pattern> = {
  value: "P",
  help: `order in which pages are dirtied, in the sweeps cost and ring-size: ${FORMS}`,
  fallback: { name: "random", parameter: 0 },
  fallbackText: "random",
  completes: { words: PATTERN_WORDS.filter((word) => word !== "hot:") },
  parse(text) {
    const pattern = parsePattern(text);
    if (pattern.name !== "file" && pattern.name !== "hot") return pattern;
    throw new SyntaxError(
      `every page is to be stored to once, whatever the memory; expected ${FORMS}`,
    );
  },
};

const svgOption: Option<string | undefined> = {
  value: "FILE",
  help: "draw pictures of the result into FILE, whole or not at all",
  fallback: undefined,
  fallbackText: "none",
  file: (path) => path === undefined ? null : { path, use: "write" },
  completes: { path: "file" },
  parse: parsePath("file"),
};

interface Options extends Omit<BenchOptions, "ringBytes"> {
  readonly ring: number; // in bytes, whatever unit it was written in
  readonly svg: string | undefined;
  readonly baseline: string | undefined;
  readonly "fail-above": number | undefined;
}

// Prepares the file for the picture before minutes are spent. The result does not depend on it.
async function pictureFile({ svg }: Options) {
  if (svg === undefined) return null;
  const { OutputFile } = await import("../../cli/output_file.ts");
  return await OutputFile.prepare(svg, "--svg");
}

// Rejects options that work for one kernel only.
function refuseForSeveral({ svg }: Options, outlets: readonly Outlet[]): void {
  if (svg !== undefined) {
    throw new UsageError(`--svg ${printable(svg)}: draws one --kernel, not several`);
  }
  const single = outlets.find(({ format }) => format === "csv" || format === "svg");
  if (single !== undefined) {
    throw new UsageError(
      `--format ${single.format}: works with one --kernel; json tells of several`,
    );
  }
}

// The result of --baseline, read before anything is measured.
async function baselineOf(options: Options, { machines }: Context): Promise<Baseline | null> {
  const { baseline: path, "fail-above": failAbove } = options;
  if (path === undefined) {
    if (failAbove === undefined) return null;
    throw new UsageError("--fail-above: goes with --baseline, with which the result is compared");
  }
  const { Baseline } = await import("../compare/baseline.ts");
  const { benchOptions } = await import("../compare/comparable_bench.ts");
  const { Foreign } = await import("../compare/foreign.ts");
  const { resolvedOptions } = await import("./bench.ts");
  const schema = machines === null ? "dirtyring.bench/1" : "dirtyring.bench-kernels/1";
  const baseline = new Baseline({
    option: "--baseline",
    path,
    schema,
    failAbove: failAbove ?? FAIL_ABOVE,
  });
  const resolved = resolvedOptions({ ...options, ringBytes: options.ring });
  baseline.mustHaveKernels(machines?.choices.length ?? 1);
  baseline.mustHave(benchOptions(new Foreign("this run", resolved)));
  return baseline;
}

async function run(
  options: Options & Parameters<Context["openKernel"]>[0],
  context: Context,
): Promise<Outcome> {
  if (context.machines !== null) refuseForSeveral(options, context.outlets);
  const baseline = await baselineOf(options, context);
  const outcome = await measured(options, context);
  if (baseline === null) return outcome;
  const asked = { times: context.given.has("times") };
  const compared = isCompared(outcome)
    ? baseline.compared(outcome, asked)
    : baseline.compared(outcome, asked);
  const { noteComparison } = await import("../compare/baseline.ts");
  noteComparison(compared, context);
  return compared;
}

async function measured(
  options: Options & Parameters<Context["openKernel"]>[0],
  context: Context,
): Promise<Outcome> {
  const { machines } = context;
  if (machines !== null) {
    const { benchInMachines } = await import("./bench_kernels.ts");
    return await benchInMachines(machines, context);
  }
  const picture = await pictureFile(options);
  const { bench } = await import("./bench.ts");
  const { liveRing } = await import("./bench_ring_sizes.ts");
  const kernel = await context.openKernel(options);
  using interrupt = await context.listen();
  const isTimed = areTimesShown(context);
  const result = await watchKernel(
    kernel,
    context.note,
    () =>
      bench({ kernel, interrupt, problems: [] }, { ...options, ringBytes: options.ring, isTimed }, {
        runRingSize: liveRing,
      }),
  );
  if (picture === null) return result;
  const { benchSvg } = await import("./bench_svg.ts");
  picture.add(benchSvg(result, { times: isTimed }));
  try {
    await picture.write();
  } catch (error) {
    // A picture that cannot be written must not cost minutes of measurement: it becomes a problem
    // of the result.
    if (!(error instanceof UsageError || error instanceof KernelError)) throw error;
    return { ...result, problems: [...result.problems, error.message], ok: false };
  }
  return result;
}

/** `dirtyring bench` */
export const command: Command = defineCommand({
  name: "bench",
  summary: "what tracking dirty pages costs: ring against bitmap, ring sizes, orders, sorting",
  details:
    "Four sweeps. cost: to learn which pages are dirty and to re-protect them, with the ring (plain, and sorted " +
    "before marking), with KVM_GET_DIRTY_LOG and with manual protection, on the same guest, in turn, and from " +
    "which dirty fraction on the bitmap wins, with the range in which quartiles put that. ring-size: full exits, stopped time and stores per second of a " +
    "guest of two vCPUs that runs while it is harvested. pattern: what a reset costs by order of pages. sort: " +
    "when a harvester should sort. The pages found are compared with those stored to: where they differ the " +
    "exit status is 1. All sweeps take some three minutes. On the model, and with --no-times, they show what they " +
    "count: bytes read, masks of 64 pages, batches, full exits.",
  options: {
    ...backendOptions(),
    guest: choice("guest program: long mode, or real mode, which some KVMs emulate", [
      "long64",
      "real16",
    ]),
    sweep: list(choice("", SWEEPS), "the sweeps to make", SWEEPS),
    memory: list(
      memorySize("", 0, ""),
      "sizes of logged guest memory, in the sweep cost",
      [64 * MIB, GIB, 4 * GIB, 16 * GIB],
      "64MiB,1GiB,4GiB,16GiB",
    ),
    pages: list(
      count("", 1, { min: 1, max: MOST_PAGES }),
      "numbers of dirty pages, in the sweep cost, each of which takes 12 KiB of this host; more than a " +
        "memory has are left out there",
      [16, 256, 4096, 65536],
    ),
    pattern: patternOption,
    seed: count("seed of the random patterns", 1),
    ring: ringSize(
      "size of the ring in entries, where it is not varied; with a unit (64KiB) in bytes",
      65536,
    ),
    repetitions: optionalCount(
      "repetitions of everything that is measured",
      { min: 1, max: 10_000 },
      "as many as fit into a few seconds, 5 to 101; 3 live runs",
    ),
    format: choice("how the result is written", ["text", "csv", "json", "svg"]),
    svg: svgOption,
    baseline: baselineOption(
      "say how the figures differ from those in FILE, and exit with 1 if one got worse",
    ),
    "fail-above": { ...failAboveOption, fallback: undefined },
  },
  often: ["sweep", "memory", "pages", "format", "svg"],
  examples: [
    [
      "dirtyring bench --sweep cost --memory 16MiB,256MiB --pages 16,256 --repetitions 5",
      "ring against bitmap, on two small guests",
    ],
    [
      "dirtyring bench --sweep pattern --repetitions 1 --format csv",
      "resets by order of pages, for a spreadsheet",
    ],
    [
      "dirtyring bench --sweep cost --memory 16MiB --pages 16,64,256 --repetitions 3 --svg cost.svg",
      "a picture for a slide",
    ],
    [
      "dirtyring bench --sweep pattern --baseline old.json --fail-above 5%",
      "what got slower since old.json was written",
    ],
  ],
  formats: { text, csv, json, svg },
  run,
  asksMachines: (_, machines) => machines > 1,
  status(outcome) {
    const { ok, interrupted } = outcome;
    if (!isCompared(outcome)) {
      return comparedStatus(ok ? interruptStatus(interrupted) : 1, outcome);
    }
    const statuses = outcome.kernels.map(({ status }) => status);
    const own = kernelsStatus(statuses, interruptStatus(interrupted));
    return comparedStatus(own, outcome);
  },
});
