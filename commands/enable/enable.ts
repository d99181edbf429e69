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

/** `dirtyring enable`: what the kernel answered. */
export interface EnableResult extends Result {
  /** What it is. */
  readonly schema: "dirtyring.enable/1";
  /** The ring that was enabled. */
  readonly ring: RingLimits;
  /** With `--matrix`: every case, in the order of the statements. */
  readonly cases?: readonly EnablingCaseResult[];
}

/**
 * Enables the ring on a fresh VM and, if asked, asks the kernel every case of the enabling statements.
 *
 * @param bytes The ring's size, handed to the kernel as it is.
 * @param matrix Whether to ask every case.
 * @returns What the kernel answered.
 * @throws {HostError} Where the host has no usable KVM, or no dirty ring.
 * @throws {KernelError} Where the kernel refuses the size.
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

// The smallest ring that is documented for this host, whatever the kernel accepts: with PML if the module
// says so; where it says nothing, the size that was found decides between the two.
function documentedSmallest(kernel: Kernel, found: number): number {
  const pml = pageModificationLogging(kernel, kvmModule(kernel)) ?? found === SMALLEST_WITH_PML;
  return pml ? SMALLEST_WITH_PML : SMALLEST;
}
