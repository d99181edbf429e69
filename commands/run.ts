import { EXIT } from "../lab/exit_status.ts";
import { Interrupt } from "../lab/interrupt.ts";
import type { Watched } from "../lab/kernel_log.ts";
import type { LiveResult } from "../live/live_result.ts";
import { run, type RunResult } from "../lab/story.ts";
import { UsageError } from "../lab/usage_error.ts";
import { kernelLogText } from "../report/kernel_log_text.ts";
import { runText } from "../report/run_text.ts";
import { type Command, defineCommand, type Formatter } from "./command.ts";
import { optionalDuration } from "./duration.ts";
import { json } from "./formats.ts";
import { labOptions, makeLab } from "./lab_options.ts";
import { choice, count, flag, optionalCount } from "./option.ts";
import { roundsStatus, ruleOption } from "./rounds.ts";
import { INTERVAL_MS, TIMEOUT_MS } from "./run_live_defaults.ts";
import { watchKernel } from "./watch_kernel.ts";

const ROUNDS = 4;

type RunOutcome = Watched<RunResult> | Watched<LiveResult>;

function isLive(outcome: RunOutcome): outcome is Watched<LiveResult> {
  return outcome.schema === "dirtyring.live/1";
}

async function text(): Promise<Formatter<RunOutcome, { readonly live: boolean }>> {
  const { liveEndText } = await import("../report/live_text.ts");
  return function* (outcome) {
    yield* isLive(outcome) ? liveEndText(outcome) : runText(outcome);
    yield* kernelLogText(outcome.kernelLog);
  };
}

// `run` refuses it without --live.
function ndjson(): Promise<Formatter<RunOutcome, unknown>> {
  return Promise.resolve((outcome) => [`${JSON.stringify(outcome)}\n`]);
}

const ofLive = "with --live";

/** `dirtyring run` */
export const command: Command = defineCommand({
  name: "run",
  summary: "run, harvest, reset, resume; check that no store went unseen",
  details:
    "After each reset the harvested pages are read; once the vCPUs have stopped, every logged " +
    "page must hold what was last read of it. A page that does not was written without an entry: it " +
    "is listed as lost, and the exit status is 1. With --live the vCPUs run on threads of their own while " +
    "their rings are harvested and reset, as under a VMM that migrates; they repeat their pattern until the " +
    "time is over or the stores are made.",
  options: {
    ...labOptions(2),
    vcpus: count(
      `vCPUs, run one after another, ${ofLive} beside each other; each gets a contiguous block of the stores`,
      2,
      { min: 1 },
    ),
    pages: optionalCount(
      `stores in a round, over all vCPUs; ${ofLive}, of the pattern that they repeat`,
      { min: 1, max: 2 ** 28 },
      `256, or the file's length; ${ofLive} all pages of memory, 16384 at most`,
    ),
    rounds: optionalCount(
      "rounds: run, harvest, reset, until every vCPU has made its stores",
      { min: 1 },
      `${ROUNDS}`,
    ),
    rule: ruleOption,
    sort: flag(
      "sort entries in the ring before marking them, and measure that beside the plain way; " +
        `${ofLive}, sort alone`,
    ),
    live: flag("run vCPUs on threads, and harvest while they run"),
    duration: optionalDuration(`${ofLive}: how long`, "5s, unless --stores is given"),
    stores: optionalCount(
      `${ofLive}: stores to make, over all vCPUs`,
      { min: 1, max: Number.MAX_SAFE_INTEGER },
      "as many as they can in the time",
    ),
    interval: optionalDuration(
      `${ofLive}: time between two harvests of all rings`,
      `${INTERVAL_MS}ms`,
    ),
    timeout: optionalDuration(
      `${ofLive} --stores: the longest that they may take`,
      `${TIMEOUT_MS / 1000}s`,
    ),
    witness: flag(
      `${ofLive}: hold the harvest against the kernel's own tracepoints (root and tracefs)`,
    ),
    format: choice("how the result is written; ndjson streams an object an interval", [
      "text",
      "json",
      "ndjson",
    ]),
  },
  examples: [
    ["dirtyring run", "two vCPUs, four rounds"],
    ["dirtyring run --ring 1024 --pages 5000", "rings that fill up, and are emptied, all the time"],
    ["dirtyring run --pattern random --memory 1GiB --slots 4 --rounds 10", "a larger guest"],
    [
      "dirtyring run --sort --guest long64 --pattern random --pages 8000 --memory 32MiB --rounds 1",
      "does sorting pay here?",
    ],
    [
      "dirtyring run --live --duration 2s --guest long64",
      "vCPUs that do not wait for the harvester",
    ],
    [
      "dirtyring run --live --stores 100000 --ring 256 --format ndjson",
      "full rings, as a stream of objects",
    ],
  ],
  formats: { text, json, ndjson },
  async run(options, context): Promise<RunOutcome> {
    if (options.live) {
      const { runLive } = await import("./run_live.ts");
      return await runLive(options, context);
    }
    const { format } = options;
    if (format === "ndjson") throw new UsageError(`--format ${format}: works with --live alone`);
    for (const name of ["duration", "stores", "interval", "timeout"] as const) {
      if (options[name] !== undefined) throw new UsageError(`--${name}: works with --live alone`);
    }
    if (options.witness) throw new UsageError("--witness: works with --live alone");
    const { rounds = ROUNDS } = options;
    const kernel = await context.openKernel(options);
    return await watchKernel(kernel, context.note, async () => {
      using lab = await makeLab(kernel, { ...options, rounds });
      using interrupt = new Interrupt();
      return await run(lab, interrupt, options.rule, options.sort);
    });
  },
  status: (outcome) => isLive(outcome) ? liveStatus(outcome) : roundsStatus(outcome),
});

function liveStatus(result: LiveResult): number {
  if (!result.ok) return EXIT.BROKEN;
  if (result.error !== null) return EXIT.KERNEL;
  return result.closed ? EXIT.CLOSED_PIPE : roundsStatus(result);
}
