import { type Command, defineCommand, json, now } from "../../cli/command.ts";
import { choice, flag } from "../../cli/option.ts";
import { run, type RunResult } from "../../drive/story.ts";
import type { Watched } from "../../host/kernel_log.ts";
import { kernelLogText } from "../../report/notes.ts";
import {
  areTimesShown,
  labOptions,
  makeLab,
  roundsOption,
  roundsStatus,
  ruleOption,
} from "../lab_options.ts";
import { watchKernel } from "../watch_kernel.ts";
import { runText } from "./run_text.ts";

/** `dirtyring run` */
export const command: Command = defineCommand({
  name: "run",
  summary: "run, harvest, reset, resume; check that no store went unseen",
  details:
    "After each reset the harvested pages are read; once the vCPUs have stopped, every logged " +
    "page must hold what was last read of it. A page that does not was written without an entry: it " +
    "is listed as lost, and the exit status is 1.",
  options: {
    ...labOptions(2),
    rounds: roundsOption(4),
    rule: ruleOption,
    sort: flag(
      "sort entries in the ring before marking them, and measure that beside the plain way",
    ),
    format: choice("how the result is written", ["text", "json"]),
  },
  often: ["rounds", "pages", "vcpus", "ring", "pattern", "guest", "sort"],
  examples: [
    ["dirtyring run", "two vCPUs, four rounds"],
    ["dirtyring run --ring 1024 --pages 5000", "rings that fill up, and are emptied, all the time"],
    ["dirtyring run --pattern random --memory 1GiB --slots 4 --rounds 10", "a larger guest"],
    [
      "dirtyring run --sort --guest long64 --pattern random --pages 8000 --memory 32MiB --rounds 1",
      "does sorting pay here?",
    ],
  ],
  formats: {
    text: now(function* (outcome: Watched<RunResult>, _, page) {
      yield* runText(outcome, page);
      yield* kernelLogText(outcome.kernelLog);
    }),
    json,
  },
  async run(options, context): Promise<Watched<RunResult>> {
    const kernel = await context.openKernel(options);
    return await watchKernel(kernel, context.note, async () => {
      using lab = await makeLab(kernel, options);
      using interrupt = await context.listen();
      return await run(lab, interrupt, options.rule, options.sort, areTimesShown(context));
    });
  },
  status: (result) => roundsStatus(result),
});
