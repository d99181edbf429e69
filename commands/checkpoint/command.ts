import {
  type Command,
  defineCommand,
  type Formatter,
  interruptStatus,
  jsonOf,
} from "../../cli/command.ts";
import {
  choice,
  duration,
  type Option,
  optionalCount,
  optionalDuration,
  parsePath,
} from "../../cli/option.ts";
import { EXIT } from "../../host/errors.ts";
import type { Watched } from "../../host/kernel_log.ts";
import type { TrackingKind } from "../../machine/dirty_tracker.ts";
import { kernelLogText } from "../../report/notes.ts";
import { labOptions, threadOptions } from "../lab_options.ts";
import type { CheckpointResult } from "./checkpoint_result.ts";

/**
 * The fields of a result and of its epochs that hold times by the clock of the run: on a model they
 * are counted in instructions.
 */
export const CLOCKED: readonly string[] = ["elapsedNs", "ranNs"];

async function text(): Promise<Formatter<Watched<CheckpointResult>, unknown>> {
  const { checkpointText } = await import("./checkpoint_text.ts");
  return function* (outcome, _, page) {
    yield* checkpointText(outcome, page);
    yield* kernelLogText(outcome.kernelLog);
  };
}

// The epochs were streamed before.
async function ndjson(): Promise<Formatter<Watched<CheckpointResult>, unknown>> {
  const { recorded } = await import("../../report/record.ts");
  return (
    { epochs: _printed, ...rest },
    _,
    page,
  ) => [`${JSON.stringify(recorded(rest, page, CLOCKED))}\n`];
}

const tracking: Option<TrackingKind> = choice(
  "how dirty pages are tracked: in rings, in a bitmap where KVM_GET_DIRTY_LOG re-protects the pages, or in one " +
    "where KVM_CLEAR_DIRTY_LOG does",
  ["ring", "bitmap", "bitmap-manual"],
);

const into: Option<string | undefined> = {
  value: "DIR",
  help: "write a full checkpoint, and a file for each epoch, into a new or empty folder",
  fallback: undefined,
  fallbackText: "none",
  file: (path) => path === undefined ? null : { path, use: "write folder" },
  completes: { path: "folder" },
  parse: parsePath("folder"),
};

/** `dirtyring checkpoint` */
export const command: Command = defineCommand({
  name: "checkpoint",
  summary: "keep a replica of a running guest, and write checkpoints",
  details:
    "Epoch after epoch the vCPUs run, pause, and what they dirtied is learned, re-protected and copied to a " +
    "replica, which at the end must be the guest's memory, byte for byte: the exit status is 1 if not. A " +
    "full ring stops its vCPU, so that --max-dirty can end an epoch early; under a bitmap nothing would. " +
    "dirtyring restore makes the machine again from what --into wrote.",
  options: {
    ...labOptions(2),
    ...threadOptions("256, or the file's length"),
    tracking,
    interval: duration("how long an epoch takes", 100, "100ms"),
    "max-dirty": optionalCount(
      "dirty pages at which an epoch ends before that; works with --tracking ring alone",
      { min: 1, max: 2 ** 32 },
      "any number",
    ),
    duration: optionalDuration("how long", "1s, unless --epochs or --stores is given"),
    epochs: optionalCount("epochs", { min: 1 }, "as many as fit"),
    stores: optionalCount("stores to make, over all vCPUs", { min: 1 }, "as many as fit"),
    into,
    format: choice("how the result is written; ndjson streams an object an epoch", [
      "text",
      "json",
      "ndjson",
    ]),
  },
  often: ["into", "epochs", "interval", "tracking", "pattern", "max-dirty"],
  examples: [
    ["dirtyring checkpoint", "two vCPUs, an epoch every 100 ms"],
    [
      "dirtyring checkpoint --guest long64 --pattern random --pages 1000 --epochs 5 --interval 50ms",
      "what a pause for 1000 dirty pages is made of",
    ],
    [
      "dirtyring checkpoint --guest long64 --pages 8000 --max-dirty 500 --epochs 5",
      "epochs that end at 500 dirty pages",
    ],
    ["dirtyring checkpoint --tracking bitmap --epochs 3", "the same with a bitmap"],
    ["dirtyring checkpoint --epochs 3 --into checkpoints", "a file for each epoch"],
  ],
  formats: { text, json: jsonOf(CLOCKED), ndjson },
  async run(options, context): Promise<Watched<CheckpointResult>> {
    const { keepReplica } = await import("./checkpoint.ts");
    return await keepReplica(options, context);
  },
  status(outcome) {
    if (!outcome.ok) return EXIT.BROKEN;
    if (outcome.error !== null) return EXIT.KERNEL;
    if (outcome.closed) return EXIT.CLOSED_PIPE;
    return interruptStatus(outcome.interrupted);
  },
});
