import type { Kernel } from "../../ffi/kernel.ts";
import { parsePattern } from "../../guest/pattern.ts";
import { type RingVm, ringVm } from "../../machine/guest_vm.ts";
import { type LabOptions, planLab } from "../../machine/plan.ts";
import { LIBC } from "./libc.ts";
import { RING_BYTES } from "./live.ts";

/** Options of a small lab: 1 vCPU, 1 MiB, the smallest ring. */
export function labOptions(changes: Partial<LabOptions> & { text?: string } = {}): LabOptions {
  const { text, ...rest } = changes;
  return {
    guest: "real16",
    vcpus: 1,
    memory: 1 << 20,
    slots: 1,
    ringBytes: RING_BYTES,
    pattern: parsePattern(text ?? "sequential"),
    pages: 16,
    rounds: 1,
    seed: 1,
    ...rest,
  };
}

/** Makes a small lab, see {@linkcode labOptions}. */
export function makeLab(
  changes: Partial<LabOptions> & { text?: string } = {},
  kernel: Kernel = LIBC,
): RingVm {
  return ringVm(
    kernel,
    planLab(labOptions(changes)),
  );
}
