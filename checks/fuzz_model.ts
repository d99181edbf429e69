import type { Kernel } from "../ffi/kernel.ts";
import { kernelRelease, kvmModule, pageModificationLogging } from "../lab/host.ts";
import type { ModelVersion } from "../ffi/model_kind.ts";
import type { ModelChoice } from "../lab/model_choice.ts";
import { releaseNumber } from "../ring/release_number.ts";

/**
 * The first release of each version's rules, the newest first. v6.12 stands for v6.11 as well: what changed before
 * it was there already.
 */
const RELEASES: readonly (readonly [number, ModelVersion])[] = [
  [6_017, "latest"],
  [6_014, "v6.14"],
  [6_011, "v6.12"],
  [6_010, "v6.10"],
  [6_001, "v6.1"],
];

/**
 * The model that a real kernel is to be held against: of its version, with its processor's way of logging.
 *
 * @param kernel The real kernel.
 * @returns The choice.
 */
export function modelLike(kernel: Kernel): ModelChoice {
  const release = releaseNumber(kernelRelease(kernel));
  const version = RELEASES.find(([first]) => release >= first)?.[1] ?? "v5.11";
  const pml = pageModificationLogging(kernel, kvmModule(kernel)) ?? false;
  // The guest runs in long mode, which no KVM emulates.
  return { version, pml, emulator: false, text: pml ? `${version}+pml` : version };
}
