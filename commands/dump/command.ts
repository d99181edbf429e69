import { type Command, defineCommand, interruptStatus, json, now } from "../../cli/command.ts";
import { choice, flag, optionalCount } from "../../cli/option.ts";
import { InlineDriver } from "../../drive/inline_driver.ts";
import { EXIT, UsageError } from "../../host/errors.ts";
import { lostNote } from "../../report/notes.ts";
import { labOptions, makeLab } from "../lab_options.ts";
import { dump } from "./dump.ts";
import { dumpText, ringFullNote } from "./dump_text.ts";

const csv = async () => (await import("./dump_csv.ts")).dumpCsv;
const ndjson = async () => (await import("./dump_csv.ts")).dumpNdjson;

/** `dirtyring dump` */
export const command: Command = defineCommand({
  name: "dump",
  summary: "boot the guest, run one round, list every vCPU's ring",
  details:
    "The entries stand as KVM wrote them: nothing is harvested or reset. A vCPU whose ring fills up stops there, " +
    "and the dump says so.",
  options: {
    ...labOptions(1),
    vcpu: optionalCount("this vCPU's ring alone", {}, "all"),
    limit: optionalCount("entries shown of each ring (text only)", {}, "all"),
    all: flag("the whole ring: the entries that KVM has not written yet, too"),
    "kernel-state": flag(
      "show dirty_index, reset_index, size and soft limit of each ring; a real kernel tells them " +
        "through tracefs, to root",
    ),
    format: choice("how the result is written", ["text", "json", "ndjson", "csv"]),
  },
  often: ["pages", "vcpus", "ring", "pattern", "guest", "limit"],
  examples: [
    ["dirtyring dump --pages 8", "eight pages, eight entries"],
    ["dirtyring dump --vcpus 2 --slots 2 --pattern pingpong --pages 16", "two rings, two slots"],
    ["dirtyring dump --ring 1024 --pages 1100 --limit 4", "a ring that fills up"],
    ["dirtyring dump --pattern random --format csv", "for a spreadsheet"],
  ],
  formats: { text: now(dumpText), json, ndjson, csv },
  async run(options, context) {
    const { vcpu, vcpus, limit, all, "kernel-state": kernelState } = options;
    if (vcpu !== undefined && vcpu >= vcpus) {
      throw new UsageError(
        `--vcpu ${vcpu}: expected ${vcpus === 1 ? "0" : `0 to ${vcpus - 1}`}, or more with --vcpus`,
      );
    }
    const formats = context.outlets.map(({ format }) => format);
    const other = formats.find((format) => format !== "text");
    if (limit !== undefined && other !== undefined) {
      throw new UsageError(`--limit ${limit}: works with --format text alone, not with ${other}`);
    }
    const list = formats.find((format) => format === "ndjson" || format === "csv");
    if (kernelState && list !== undefined) {
      throw new UsageError(`--kernel-state: works with --format text or json, not with ${list}`);
    }
    const kernel = await context.openKernel(options);
    using states = kernelState
      ? (await import("../../machine/kernel_state.ts")).kernelStates(kernel)
      : null;
    using lab = await makeLab(kernel, { ...options, rounds: 1 });
    using interrupt = await context.listen();
    const result = await dump(lab, new InlineDriver(interrupt), { vcpu, all, states, interrupt });
    if (list !== undefined) {
      for (const ring of result.rings) {
        const note = ringFullNote(ring);
        if (note !== null) context.note(note);
      }
      if (result.interrupted !== null) {
        context.note(`interrupted by ${result.interrupted}: entries up to there`);
      }
      if (!result.ok) context.note(lostNote(result.lost));
    }
    return result;
  },
  status: (result) => result.ok ? interruptStatus(result.interrupted) : EXIT.BROKEN,
});
