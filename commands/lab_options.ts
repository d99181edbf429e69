// Options that several commands share, and the machine that they describe.

import { interruptStatus } from "../cli/command.ts";
import type { Context } from "../cli/context.ts";
import { choice, count, memorySize, type Option, optionalCount, ringSize } from "../cli/option.ts";
import type { RoundsCheck, RuleChoice } from "../drive/story.ts";
import type { Kernel } from "../ffi/kernel.ts";
import type { GuestName } from "../guest/guest.ts";
import { parsePattern, type Pattern, PATTERN_FORMS, PATTERN_WORDS } from "../guest/pattern.ts";
import { type Backend, MODEL_VERSIONS, type ModelChoice, parseModel } from "../host/backend.ts";
import { EXIT } from "../host/errors.ts";
import { type RingVm, ringVm } from "../machine/guest_vm.ts";
import { type LabOptions, type Plan, planLab } from "../machine/plan.ts";

const patternOption: Option<Pattern> = {
  value: "P",
  help: `order in which pages are dirtied: ${PATTERN_FORMS} (one page number a line, decimal or ` +
    "0x, counted over all logged slots; - is standard input)",
  fallback: { name: "sequential", parameter: 0 },
  fallbackText: "sequential",
  file: (pattern) => pattern.name === "file" ? { path: pattern.path, use: "read" } : null,
  completes: { words: [...PATTERN_WORDS, "file:"], fileAfter: ["file:"] },
  parse: parsePattern,
};

const MIB = 2 ** 20;

/**
 * The options of every command that builds a lab: which kernel answers, and what the guest is and
 * does.
 *
 * @param vcpus The default number of vCPUs.
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
 * The options that read otherwise if vCPUs have threads of their own and repeat the pattern.
 *
 * @param pages The default number of stores, in words.
 */
export function threadOptions(
  pages: string,
): Pick<ReturnType<typeof labOptions>, "vcpus" | "pages"> {
  return {
    vcpus: count("vCPUs, each on a thread of its own with a contiguous block of the stores", 2, {
      min: 1,
    }),
    pages: optionalCount(
      "stores of the pattern that the vCPUs repeat, over all vCPUs",
      { min: 1, max: 2 ** 28 },
      pages,
    ),
  };
}

/**
 * The option of commands that run several rounds.
 *
 * @param rounds The default.
 */
export function roundsOption(rounds: number): Option<number> {
  return count("rounds: run, harvest, reset, until every vCPU has made its stores", rounds, {
    min: 1,
  });
}

/** What a command line asks for. `ring` is in bytes, whatever unit `--ring` was written in. */
export type LabRequest = Omit<LabOptions, "ringBytes"> & { readonly ring: number };

/**
 * Makes the lab that a command line asks for.
 *
 * @returns The lab, for its caller to dispose.
 * @throws {UsageError} If an option is impossible, or a pattern file is wrong.
 * @throws {HostError} If the host has no usable KVM, or no dirty ring.
 * @throws {KernelError} If the kernel refuses a call.
 */
export async function makeLab(kernel: Kernel, options: LabRequest): Promise<RingVm> {
  return ringVm(kernel, await makePlan(options));
}

/**
 * Plans the machine that a command line asks for.
 *
 * @throws {UsageError} If an option is impossible, or a pattern file is wrong.
 */
export async function makePlan({ ring, ...rest }: LabRequest): Promise<Plan> {
  const options = { ...rest, ringBytes: ring };
  if (options.pattern.name !== "file") return planLab(options);
  const { path } = options.pattern;
  const { readPattern } = await import("../machine/pattern_file.ts");
  return planLab(options, (pages) => readPattern(path, pages));
}

/** The option that names a model. */
export const modelOption: Option<ModelChoice | undefined> = {
  value: "VERSION[+pml][+emulator]",
  help:
    "kernel version of the model: v5.11, v6.1, v6.10, v6.12, v6.14, v6.17 or latest; +pml has a processor " +
    "with page-modification logging, +emulator emulates real mode, where every store pushes",
  fallback: undefined,
  fallbackText: "latest",
  completes: {
    words: MODEL_VERSIONS.flatMap((version) =>
      ["", "+pml", "+emulator", "+pml+emulator"].map((traits) => `${version}${traits}`)
    ),
  },
  parse: parseModel,
};

/** The options that choose the kernel that a command runs on. */
export function backendOptions(): {
  readonly backend: Option<Backend>;
  readonly model: Option<ModelChoice | undefined>;
} {
  return {
    backend: choice(
      "which kernel answers: a real /dev/kvm, the model of one in memory, or auto: the real one " +
        "where it is usable, otherwise the model",
      ["kvm", "model", "auto"],
    ),
    model: modelOption,
  };
}

/** The option of commands that count `kvm_reset_dirty_gfn` calls. */
export const ruleOption: Option<RuleChoice> = choice(
  "kernel version whose rule counts the calls; auto goes by this kernel's release",
  ["auto", "v5.11", "v6.10", "v6.17"],
);

/**
 * Whether any outlet shows measured times; what nobody sees need not be measured. The kernel must
 * be open: of a model no times are shown unless they are asked for.
 */
export function areTimesShown({ outlets }: Pick<Context, "outlets">): boolean {
  return outlets.some(({ page }) => page.times);
}

/**
 * The exit status of a command with rounds.
 *
 * @param result The outcome of its rounds.
 * @returns 1 if something did not hold, otherwise 129, 130 or 143 after an interrupt, otherwise 0.
 */
export function roundsStatus(result: RoundsCheck): number {
  return result.ok ? interruptStatus(result.interrupted) : EXIT.BROKEN;
}
