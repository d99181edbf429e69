import { InlineDriver } from "../lab/inline_driver.ts";
import { reset } from "../lab/reset.ts";
import { UsageError } from "../lab/usage_error.ts";
import { resetText } from "../report/reset_text.ts";
import { type Command, defineCommand } from "./command.ts";
import { json, now } from "./formats.ts";
import { labOptions, makeLab } from "./lab_options.ts";
import { choice, optionalCount } from "./option.ts";

/** `dirtyring reset` */
export const command: Command = defineCommand({
  name: "reset",
  summary: "run one round, harvest, reset, and show what the kernel took back",
  details:
    "A reset stops at the first entry that is not harvested. --harvest-first and --gap leave " +
    "entries behind on purpose; a second pass then completes the harvest.",
  options: {
    ...labOptions(1),
    "harvest-first": optionalCount("harvest only the first N entries of each ring", {}, "all"),
    gap: optionalCount("leave entry N of each ring unharvested, harvest the rest", {}, "none"),
    format: choice("how the result is written", ["text", "json"]),
  },
  examples: [
    ["dirtyring reset", "256 entries, one reset"],
    ["dirtyring reset --gap 100", "the kernel stops at entry 100"],
    ["dirtyring reset --vcpus 2 --harvest-first 10", "a partial harvest of two rings"],
  ],
  formats: { text: now(resetText), json },
  async run(options, context) {
    const { gap, "harvest-first": harvestFirst } = options;
    if (gap !== undefined && harvestFirst !== undefined) {
      throw new UsageError(
        `--gap ${gap} and --harvest-first ${harvestFirst}: expected one of them`,
      );
    }
    using lab = await makeLab(await context.openKernel(), { ...options, rounds: 1 });
    return await reset(lab, new InlineDriver(), { harvestFirst, gap });
  },
  status: (result) => result.ok ? 0 : 1,
});
