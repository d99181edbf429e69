import { type Command, defineCommand, json, now } from "../../cli/command.ts";
import { choice } from "../../cli/option.ts";
import { stats } from "../../drive/story.ts";
import {
  areTimesShown,
  labOptions,
  makeLab,
  roundsOption,
  roundsStatus,
  ruleOption,
} from "../lab_options.ts";
import { statsText } from "./stats_text.ts";

/** `dirtyring stats` */
export const command: Command = defineCommand({
  name: "stats",
  summary: "coalescing statistics of each ring: how well its order suits the reset",
  details: "Batches and calls are modelled by the rule of kvm_dirty_ring_reset, since the kernel " +
    "tells neither; the time of a reset is measured, beside that of the sequential pattern. A " +
    "second column shows what the same entries would give had the harvester sorted them.",
  options: {
    ...labOptions(1),
    rounds: roundsOption(1),
    rule: ruleOption,
    format: choice("how the result is written", ["text", "json"]),
  },
  often: ["pattern", "pages", "memory", "rule"],
  examples: [
    ["dirtyring stats --pattern random --pages 2000", "poor coalescing"],
    ["dirtyring stats --pattern stride:8 --rule v5.11", "calls by an older kernel's rule"],
    ["seq 0 2 100 | dirtyring stats --pattern file:-", "an order of your own"],
  ],
  formats: { text: now(statsText), json },
  async run(options, context) {
    using lab = await makeLab(await context.openKernel(options), options);
    using interrupt = await context.listen();
    return await stats(lab, interrupt, options.rule, areTimesShown(context));
  },
  status: (result) => roundsStatus(result),
});
