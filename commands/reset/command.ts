import { type Command, defineCommand, interruptStatus, json, now } from "../../cli/command.ts";
import { choice, flag, optionalCount } from "../../cli/option.ts";
import { InlineDriver } from "../../drive/inline_driver.ts";
import { EXIT, UsageError } from "../../host/errors.ts";
import { areTimesShown, labOptions, makeLab } from "../lab_options.ts";
import { reset } from "./reset.ts";
import { resetText } from "./reset_text.ts";

/** `dirtyring reset` */
export const command: Command = defineCommand({
  name: "reset",
  summary: "run one round, harvest, reset, and show which entries the kernel reset",
  details:
    "A reset stops at the first entry that is not harvested. --harvest-first and --gap leave " +
    "entries behind on purpose; a second pass then completes the harvest. --sort sorts what is " +
    "harvested by slot and offset while it stands in the ring, which the reset follows.",
  options: {
    ...labOptions(1),
    "harvest-first": optionalCount("harvest only the first N entries of each ring", {}, "all"),
    gap: optionalCount("leave entry N of each ring unharvested, harvest the rest", {}, "none"),
    sort: flag(
      "sort entries in the ring before marking them, and measure that beside the plain way",
    ),
    "kernel-state": flag(
      "show dirty_index, reset_index, size and soft limit before and after each pass; a real " +
        "kernel tells them through tracefs, to root",
    ),
    format: choice("how the result is written", ["text", "json"]),
  },
  often: ["gap", "harvest-first", "sort", "pages", "pattern"],
  examples: [
    ["dirtyring reset", "256 entries, one reset"],
    ["dirtyring reset --gap 100", "the kernel stops at entry 100"],
    ["dirtyring reset --vcpus 2 --harvest-first 10", "a partial harvest of two rings"],
    ["dirtyring reset --sort --guest long64 --pattern random", "what sorting costs and saves"],
  ],
  formats: { text: now(resetText), json },
  async run(options, context) {
    const { gap, sort, "harvest-first": harvestFirst, "kernel-state": kernelState } = options;
    if (gap !== undefined && harvestFirst !== undefined) {
      throw new UsageError(
        `--gap ${gap} and --harvest-first ${harvestFirst}: expected one of them`,
      );
    }
    if (sort && (gap !== undefined || harvestFirst !== undefined)) {
      throw new UsageError(
        `--sort and ${
          gap === undefined ? `--harvest-first ${harvestFirst}` : `--gap ${gap}`
        }: expected one of them`,
      );
    }
    const kernel = await context.openKernel(options);
    using states = kernelState
      ? (await import("../../machine/kernel_state.ts")).kernelStates(kernel)
      : null;
    using lab = await makeLab(kernel, { ...options, rounds: 1 });
    using interrupt = await context.listen();
    const driver = new InlineDriver(interrupt);
    const isTimed = areTimesShown(context);
    return await reset(lab, driver, { harvestFirst, gap, sort, states, isTimed, interrupt });
  },
  status: (result) => result.ok ? interruptStatus(result.interrupted) : EXIT.BROKEN,
});
