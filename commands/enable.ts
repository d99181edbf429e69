import { enable } from "../checks/enable.ts";
import { enableText } from "../report/enable_text.ts";
import { backendOptions } from "./backend_options.ts";
import { type Command, defineCommand } from "../cli/command.ts";
import { json, now } from "../cli/formats.ts";
import { choice, flag } from "../cli/option.ts";
import { ringSize } from "../cli/size.ts";

/** `dirtyring enable` */
export const command: Command = defineCommand({
  name: "enable",
  summary: "enable the ring on a fresh VM and show what the kernel answered",
  details:
    "With --matrix every documented case of discovering and enabling is put to the kernel, " +
    "each on a fresh VM; an answer that differs is marked, and the exit status is 1.",
  options: {
    ...backendOptions(),
    ring: ringSize("size of the ring in entries; with a unit (64KiB) in bytes", 4096),
    matrix: flag("ask every case of the enabling statements"),
    format: choice("how the result is written", ["text", "json"]),
  },
  examples: [
    ["dirtyring enable --ring 65536", "the largest ring: what does it cover?"],
    ["dirtyring enable --matrix", "does this kernel answer as documented?"],
  ],
  formats: { text: now(enableText), json },
  run: async (options, context) =>
    enable(await context.openKernel(options), options.ring, options.matrix),
  status: (result) => result.cases?.some((one) => !one.ok) ? 1 : 0,
});
