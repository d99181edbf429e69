import {
  type Command,
  defineCommand,
  type Formatter,
  interruptStatus,
  json,
  ndjson,
} from "../../cli/command.ts";
import { choice, type Operand, parsePath } from "../../cli/option.ts";
import { EXIT } from "../../host/errors.ts";
import type { Watched } from "../../host/kernel_log.ts";
import { kernelLogText } from "../../report/notes.ts";
import { backendOptions } from "../lab_options.ts";
import type { RestoreResult } from "./restore_result.ts";

const folder: Operand<string> = {
  value: "DIR",
  help: "the folder that checkpoint --into wrote",
  fallback: "",
  fallbackText: null,
  isRequired: true,
  file: (path) => path === "" ? null : { path, use: "read folder" },
  completes: { path: "folder" },
  parse: parsePath("folder"),
};

async function text(): Promise<Formatter<Watched<RestoreResult>, unknown>> {
  const { restoreText } = await import("./restore_text.ts");
  return function* (outcome, _, page) {
    yield* restoreText(outcome, page);
    yield* kernelLogText(outcome.kernelLog);
  };
}

/** `dirtyring restore` */
export const command: Command = defineCommand({
  name: "restore",
  summary: "make a machine again from its checkpoints, and run it on",
  details:
    "The last whole epoch that checkpoint --into wrote is restored: memory and registers of the new machine must " +
    "agree with the files. It then runs on, and not one store may be missing: the exit status is 1 if one is. " +
    "What the machine is like stands in its files.",
  operands: { folder },
  options: {
    ...backendOptions(),
    format: choice("how the result is written", ["text", "json", "ndjson"]),
  },
  often: ["backend", "format"],
  examples: [
    ["dirtyring restore checkpoints", "what dirtyring checkpoint --into checkpoints wrote"],
    ["dirtyring restore checkpoints --format json", "for a program"],
  ],
  formats: { text, json, ndjson },
  async run(options, context): Promise<Watched<RestoreResult>> {
    const { restoreCheckpoint } = await import("./restore.ts");
    return await restoreCheckpoint(options, context);
  },
  status(outcome) {
    if (!outcome.ok) return EXIT.BROKEN;
    return outcome.error === null ? interruptStatus(outcome.interrupted) : EXIT.KERNEL;
  },
});
