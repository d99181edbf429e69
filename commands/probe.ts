import { EXIT } from "../lab/exit_status.ts";
import { probe, type ProbeResult } from "../lab/probe.ts";
import { probeText } from "../report/probe_text.ts";
import { backendOptions } from "./backend_options.ts";
import { type Command, defineCommand } from "../cli/command.ts";
import { json, now } from "../cli/formats.ts";
import { choice } from "../cli/option.ts";

/** `dirtyring probe` */
export const command: Command = defineCommand({
  name: "probe",
  summary: "what this host offers: KVM, its dirty ring, its limits",
  details: "Works without permission and without KVM too: then it says what is missing and exits " +
    "with 4.",
  options: {
    ...backendOptions(),
    format: choice("how the result is written", ["text", "json"]),
  },
  examples: [
    ["dirtyring probe", "can the other commands run here?"],
    ["dirtyring probe --format json", "the same for a script"],
    ["dirtyring probe --backend model --model v6.1+pml", "a kernel in memory, with PML"],
  ],
  formats: { text: now(probeText), json },
  run: async (options, context): Promise<ProbeResult> => probe(await context.openKernel(options)),
  status: (result) => result.usable ? EXIT.OK : EXIT.HOST,
});
