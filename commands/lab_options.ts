import type { Kernel } from "../ffi/kernel.ts";
import type { GuestName } from "../guest/guest.ts";
import { parsePattern, type Pattern, PATTERN_FORMS } from "../guest/pattern.ts";
import type { Backend } from "../lab/backend.ts";
import { type RingVm, ringVm } from "../lab/guest_vm.ts";
import type { ModelChoice } from "../lab/model_choice.ts";
import { type LabOptions, type Plan, planLab } from "../lab/plan.ts";
import { backendOptions } from "./backend_options.ts";
import { choice, count, type Option, optionalCount } from "../cli/option.ts";
import { memorySize, ringSize } from "../cli/size.ts";

const patternOption: Option<Pattern> = {
  value: "P",
  help: `order in which pages are dirtied: ${PATTERN_FORMS} (one page number a line, decimal or ` +
    "0x, counted over all logged slots; - is standard input)",
  fallback: { name: "sequential", parameter: 0 },
  fallbackText: "sequential",
  file: (pattern) => pattern.name === "file" ? { path: pattern.path, use: "read" } : null,
  parse: parsePattern,
};

const MIB = 2 ** 20;

/**
 * The options of every lab: which kernel answers, what the guest is and what it does.
 *
 * @param vcpus The default number of vCPUs.
 * @returns The options.
 */
export function labOptions(vcpus: number): {
  readonly backend: Option<Backend>;
  readonly model: Option<ModelChoice | undefined>;
  readonly guest: Option<GuestName>;
  readonly vcpus: Option<number>;
  readonly memory: Option<number>;
  readonly slots: Option<number>;
  readonly ring: Option<number>;
  readonly pattern: Option<Pattern>;
  readonly pages: Option<number | undefined>;
  readonly seed: Option<number>;
} {
  return {
    ...backendOptions(),
    guest: choice(
      "guest program: real mode, or long mode, which every KVM runs natively and which reaches all but some KiB of 64GiB",
      ["real16", "long64"],
    ),
    vcpus: count(
      "vCPUs, run one after another; each gets a contiguous block of the stores",
      vcpus,
      {
        min: 1,
      },
    ),
    memory: memorySize("logged guest memory", 64 * MIB, "64MiB"),
    slots: count("memory slots that it is split into", 1, { min: 1 }),
    ring: ringSize("size of each ring in entries; with a unit (64KiB) in bytes", 4096),
    pattern: patternOption,
    pages: optionalCount(
      "stores in a round, over all vCPUs",
      { min: 1, max: 2 ** 28 },
      "256, or the file's length",
    ),
    seed: count("seed of the random patterns", 1),
  };
}

/**
 * The option of commands that run more than one round.
 *
 * @param rounds The default.
 * @returns The option.
 */
export function roundsOption(rounds: number): Option<number> {
  return count("rounds: run, harvest, reset, until every vCPU has made its stores", rounds, {
    min: 1,
  });
}

/** What a command line asks for: `--ring` is in bytes by now, whatever it was written in. */
export type LabRequest = Omit<LabOptions, "ringBytes"> & { readonly ring: number };

/**
 * Makes the lab that a command line asks for.
 *
 * @param kernel The kernel that answers.
 * @param options The options.
 * @returns The lab, for its caller to dispose.
 * @throws {UsageError} Where an option cannot be, or a pattern file is wrong.
 * @throws {HostError} Where the host has no usable KVM, or no dirty ring.
 * @throws {KernelError} Where the kernel refuses a call.
 */
export async function makeLab(kernel: Kernel, options: LabRequest): Promise<RingVm> {
  return ringVm(kernel, await makePlan(options));
}

/**
 * Thinks out what a command line asks for.
 *
 * @param options The options.
 * @returns The plan.
 * @throws {UsageError} Where an option cannot be, or a pattern file is wrong.
 */
export async function makePlan({ ring, ...rest }: LabRequest): Promise<Plan> {
  const options = { ...rest, ringBytes: ring };
  if (options.pattern.name !== "file") return planLab(options);
  const { path } = options.pattern;
  const { readPattern } = await import("../lab/pattern_file.ts");
  return planLab(options, (pages) => readPattern(path, pages));
}
