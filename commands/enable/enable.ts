import {
  type EnablingCaseResult,
  enablingCases,
  runEnablingCase,
  SMALLEST,
  SMALLEST_WITH_PML,
} from "../../conformance/kit/enabling_cases.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { KVM_CAP_DIRTY_LOG_RING_ACQ_REL } from "../../ffi/kvm_constants.ts";
import { kernelFacts, kvmModule, pageModificationLogging, type Result } from "../../host/facts.ts";
import {
  inferReserved,
  largestRing,
  type RingLimits,
  ringLimits,
  smallestRing,
  System,
} from "../../kvm/system.ts";
import { enableRing } from "../../machine/ring_tracker.ts";

/** The result of `dirtyring enable`: what the kernel answered. */
export interface EnableResult extends Result {
  /** Name and version of this format. */
  readonly schema: "dirtyring.enable/1";
  /** The ring that was enabled. */
  readonly ring: RingLimits;
  /** With `--matrix`: the answer to every case, in the order of the statements. */
  readonly cases?: readonly EnablingCaseResult[];
}

/**
 * Enables the ring on a fresh VM. With `matrix`, it then tries every case of the enabling
 * statements.
 *
 * @param bytes Size of the ring in bytes, passed to the kernel as it is.
 * @throws {HostError} If the host has no usable KVM, or no dirty ring.
 * @throws {KernelError} If the kernel refuses the size.
 */
export function enable(kernel: Kernel, bytes: number, matrix: boolean): EnableResult {
  using system = System.open(kernel);
  const largest = largestRing(system);
  const smallest = smallestRing(system, largest);
  {
    using vm = system.createVm();
    enableRing(system, vm, bytes);
  }
  const result: EnableResult = {
    schema: "dirtyring.enable/1",
    kernel: kernelFacts(kernel, largest),
    ring: ringLimits(bytes, inferReserved(smallest)),
  };
  if (!matrix) return result;
  const acquireRelease = system.checkExtension(KVM_CAP_DIRTY_LOG_RING_ACQ_REL) > 0;
  const documented = documentedSmallest(kernel, smallest);
  const cases = enablingCases({ largest, smallest: documented, acquireRelease });
  return { ...result, cases: cases.map((one) => runEnablingCase(system, largest, one)) };
}

// The smallest ring that is documented for this host, whatever the kernel accepts. It depends on
// PML. If the module does not say whether PML is on, the smallest size that the kernel accepted
// decides.
function documentedSmallest(kernel: Kernel, found: number): number {
  const pml = pageModificationLogging(kernel, kvmModule(kernel)) ?? found === SMALLEST_WITH_PML;
  return pml ? SMALLEST_WITH_PML : SMALLEST;
}
