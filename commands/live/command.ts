import {
  type Command,
  defineCommand,
  type Formatter,
  jsonOf,
  ndjsonOf,
} from "../../cli/command.ts";
import { choice, duration, flag, optionalCount, optionalDuration } from "../../cli/option.ts";
import { EXIT } from "../../host/errors.ts";
import type { Watched } from "../../host/kernel_log.ts";
import { kernelLogText } from "../../report/notes.ts";
import { labOptions, roundsStatus, threadOptions } from "../lab_options.ts";
import type { LiveResult } from "./live_result.ts";

/** Default of `--interval`: milliseconds between two harvests of all rings. */
const INTERVAL_MS = 10;
/** Default of `--timeout`: milliseconds that the stores of a live run may take. */
export const TIMEOUT_MS = 60_000;
/** Default of `--duration`: milliseconds that a run takes if `--stores` is not given. */
export const DURATION_MS = 5000;

/**
 * The fields of a live run's result and progress that hold times by its own clock: on a model they
 * are counted in instructions.
 */
export const CLOCKED: readonly string[] = ["elapsedNs", "stoppedNs", "fullStop"];

async function text(): Promise<Formatter<Watched<LiveResult>, unknown>> {
  const { liveEndText } = await import("./live_text.ts");
  return function* (outcome, _, page) {
    yield* liveEndText(outcome, page);
    yield* kernelLogText(outcome.kernelLog);
  };
}

/** `dirtyring live` */
export const command: Command = defineCommand({
  name: "live",
  summary: "harvest and reset while the vCPUs run; check that no store went unseen",
  details:
    "The vCPUs run on threads of their own while their rings are harvested and reset, as under a VMM that " +
    "migrates; they repeat their pattern until the time is over or the stores are made. Once they have stopped, " +
    "every logged page must hold what was last read of it. A page that does not was written without an entry: it " +
    "is listed as lost, and the exit status is 1. On the model the time is counted in instructions, and passes " +
    "more slowly than on the wall.",
  options: {
    ...labOptions(2),
    ...threadOptions("all pages of memory, 16384 at most, or the file's length"),
    sort: flag("sort entries in the ring before marking them"),
    duration: optionalDuration("how long", "5s, unless --stores is given"),
    stores: optionalCount(
      "stores to make, over all vCPUs",
      { min: 1, max: Number.MAX_SAFE_INTEGER },
      "as many as they can in the time",
    ),
    interval: duration(
      "time between two harvests of all rings",
      INTERVAL_MS,
      `${INTERVAL_MS}ms`,
    ),
    timeout: optionalDuration("the longest that --stores may take", `${TIMEOUT_MS / 1000}s`),
    witness: flag("hold the harvest against the kernel's own tracepoints (root and tracefs)"),
    format: choice("how the result is written; ndjson streams an object an interval", [
      "text",
      "json",
      "ndjson",
    ]),
  },
  often: ["duration", "vcpus", "ring", "pattern", "guest", "witness"],
  examples: [
    ["dirtyring live --duration 2s --guest long64", "vCPUs that do not wait for the harvester"],
    [
      "dirtyring live --stores 100000 --ring 256 --format ndjson",
      "full rings, as a stream of objects",
    ],
  ],
  formats: { text, json: jsonOf(CLOCKED), ndjson: ndjsonOf(CLOCKED) },
  async run(options, context): Promise<Watched<LiveResult>> {
    const { runLive } = await import("./live.ts");
    return await runLive(options, context);
  },
  status(result) {
    if (!result.ok) return EXIT.BROKEN;
    if (result.error !== null) return EXIT.KERNEL;
    return result.closed ? EXIT.CLOSED_PIPE : roundsStatus(result);
  },
});
