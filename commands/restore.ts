import type { RestoreResult } from "../checkpoint/restore_result.ts";
import { EXIT } from "../lab/exit_status.ts";
import type { Watched } from "../lab/kernel_log.ts";
import { kernelLogText } from "../report/kernel_log_text.ts";
import { type Command, defineCommand, type Formatter } from "../cli/command.ts";
import { json, ndjson } from "../cli/formats.ts";
import { interruptStatus } from "../cli/interrupt_status.ts";
import { choice, type Operand, parsePath } from "../cli/option.ts";
import { backendOptions } from "./backend_options.ts";

const folder: Operand<string> = {
  value: "DIR",
  help: "the folder that checkpoint --output wrote",
  fallback: "",
  fallbackText: null,
  isRequired: true,
  file: (path) => path === "" ? null : { path, use: "read folder" },
  parse: parsePath("folder"),
};

async function text(): Promise<Formatter<Watched<RestoreResult>, unknown>> {
  const { restoreText } = await import("../report/restore_text.ts");
  return function* (outcome) {
    yield* restoreText(outcome);
    yield* kernelLogText(outcome.kernelLog);
  };
}

/** `dirtyring restore` */
export const command: Command = defineCommand({
  name: "restore",
  summary: "make a machine again from its checkpoints, and run it on",
  details:
    "The last whole epoch that checkpoint --output wrote is restored: memory and registers of the new machine must " +
    "agree with the files. It then runs on, and not one store may be missing: the exit status is 1 if one is. " +
    "What the machine is like stands in its files.",
  operands: { folder },
  options: {
    ...backendOptions(),
    format: choice("how the result is written", ["text", "json", "ndjson"]),
  },
  examples: [
    ["dirtyring restore checkpoints", "what dirtyring checkpoint --output checkpoints wrote"],
    ["dirtyring restore checkpoints --format json", "for a program"],
  ],
  formats: { text, json, ndjson },
  async run(options, context): Promise<Watched<RestoreResult>> {
    const { restoreCheckpoint } = await import("./restore_checkpoint.ts");
    return await restoreCheckpoint(options, context);
  },
  status(outcome) {
    if (!outcome.ok) return EXIT.BROKEN;
    return outcome.error === null ? interruptStatus(outcome.interrupted) : EXIT.KERNEL;
  },
});
