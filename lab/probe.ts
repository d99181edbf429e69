import { HostError } from "../ffi/host_error.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { KernelError } from "../ffi/kernel_error.ts";
import * as constants from "../ffi/kvm_constants.ts";
import { KVM_GET_API_VERSION } from "../ffi/kvm_ioctls.ts";
import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";
import { System } from "../kvm/system.ts";
import { type DeviceFacts, deviceFacts } from "./device.ts";
import { kernelFacts, pageModificationLogging, type Result } from "./host.ts";
import { inferReserved, largestRing, smallestRing } from "../machine/ring_limits.ts";

/** Something that is missing. */
export interface Problem {
  /** What, with what the system answered. */
  readonly what: string;
  /** What to do about it. */
  readonly advice: string;
}

/** What the ring can be. */
export interface RingRange {
  /** The largest ring, as the kernel answers. */
  readonly maxEntries: number;
  /** The smallest ring, found by asking. */
  readonly minEntries: number;
  /** Entries kept free. Inferred. */
  readonly reserved: number | null;
  /** Soft limit of the largest ring. Inferred. */
  readonly softLimitOfMax: number | null;
  /** `reserved` and `softLimitOfMax` are inferred from the smallest ring: the kernel answers neither. */
  readonly inferred: true;
}

/** `dirtyring probe`: what this host offers. Where KVM cannot be used, most of it is `null`. */
export interface ProbeResult extends Result {
  /** What it is. */
  readonly schema: "dirtyring.probe/1";
  /** Whether the other commands can run here. */
  readonly usable: boolean;
  /** What is missing. */
  readonly problems: readonly Problem[];
  /** `/dev/kvm` itself; `null` where it does not exist. */
  readonly device: DeviceFacts | null;
  /** The KVM interface's version: 12. */
  readonly apiVersion: number | null;
  /** Capabilities by name, with their values. */
  readonly capabilities: Readonly<Record<string, number>>;
  /** What the ring can be. */
  readonly ring: RingRange | null;
  /** Page-modification logging, if the module says. */
  readonly pml: boolean | null;
  /** vCPUs: as many as are recommended, and at most. */
  readonly vcpus: { readonly recommended: number; readonly max: number } | null;
  /** Memory slots in an address space. */
  readonly memorySlots: number | null;
  /** Bytes of the `kvm_run` mapping. */
  readonly kvmRunBytes: number | null;
}

const CAPABILITIES = [
  "KVM_CAP_DIRTY_LOG_RING",
  "KVM_CAP_DIRTY_LOG_RING_ACQ_REL",
  "KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP",
  "KVM_CAP_NR_VCPUS",
  "KVM_CAP_MAX_VCPUS",
  "KVM_CAP_MAX_VCPU_ID",
  "KVM_CAP_NR_MEMSLOTS",
  "KVM_CAP_MULTI_ADDRESS_SPACE",
  "KVM_CAP_IMMEDIATE_EXIT",
  "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2",
  "KVM_CAP_BINARY_STATS_FD",
] as const;

/**
 * Finds out what a host offers. What is missing is part of the answer, not an error.
 *
 * @param kernel The kernel that answers.
 * @returns The facts.
 */
export function probe(kernel: Kernel): ProbeResult {
  const problems: Problem[] = [];
  const found = attempt(problems, () => ask(kernel, problems));
  const facts = kernelFacts(kernel, found?.largest ?? null);
  return {
    schema: "dirtyring.probe/1",
    kernel: facts,
    usable: problems.length === 0,
    problems,
    device: deviceFacts(kernel),
    apiVersion: found?.apiVersion ?? null,
    capabilities: found?.capabilities ?? {},
    ring: found?.ring ?? null,
    pml: pageModificationLogging(kernel, facts.module),
    vcpus: found?.vcpus ?? null,
    memorySlots: found?.memorySlots ?? null,
    kvmRunBytes: found?.kvmRunBytes ?? null,
  };
}

function ask(kernel: Kernel, problems: Problem[]) {
  using system = System.open(kernel);
  const capabilities: Record<string, number> = {};
  for (const name of CAPABILITIES) {
    capabilities[name] = system.checkExtension(constants[name]);
  }
  const largest = attempt(problems, () => largestRing(system));
  return {
    apiVersion: system.ioctl(KVM_GET_API_VERSION),
    capabilities,
    largest,
    ring: largest === null ? null : attempt(problems, () => askRing(system, largest)),
    vcpus: {
      recommended: system.checkExtension(constants.KVM_CAP_NR_VCPUS),
      max: system.checkExtension(constants.KVM_CAP_MAX_VCPUS),
    },
    memorySlots: system.checkExtension(constants.KVM_CAP_NR_MEMSLOTS),
    kvmRunBytes: system.vcpuMmapSize(),
  };
}

function askRing(system: System, largest: number): RingRange {
  const smallest = smallestRing(system, largest);
  const reserved = inferReserved(smallest);
  const maxEntries = largest / kvm_dirty_gfn.size;
  return {
    maxEntries,
    minEntries: smallest / kvm_dirty_gfn.size,
    reserved,
    softLimitOfMax: reserved === null ? null : maxEntries - reserved,
    inferred: true,
  };
}

// What a step finds, or null with its failure noted as a problem.
function attempt<T>(problems: Problem[], step: () => T): T | null {
  try {
    return step();
  } catch (error) {
    if (error instanceof HostError) {
      problems.push({ what: error.what, advice: error.advice });
    } else if (error instanceof KernelError) {
      problems.push({ what: error.message, advice: "look into dmesg for the reason" });
    } else throw error;
    return null;
  }
}
