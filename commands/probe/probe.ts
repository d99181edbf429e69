import { HostError, KernelError } from "../../ffi/errors.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import * as constants from "../../ffi/kvm_constants.ts";
import { KVM_GET_API_VERSION } from "../../ffi/kvm_ioctls.ts";
import { kvm_dirty_gfn, struct } from "../../ffi/kvm_structs.ts";
import { kernelFacts, pageModificationLogging, readText, type Result } from "../../host/facts.ts";
import { DEVICE, inferReserved, largestRing, smallestRing, System } from "../../kvm/system.ts";

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

/** Who may open `/dev/kvm`. */
export interface DeviceFacts {
  /** Its path. */
  readonly path: string;
  /** Type and permissions, as `ls -l` shows them. */
  readonly mode: string;
  /** The owner's name, or number where it has none. */
  readonly owner: string;
  /** The group's name, or number where it has none. */
  readonly group: string;
}

// The head of `struct statx` of <linux/stat.h>.
const statx = struct("statx", {
  stx_mask: "u32",
  stx_blksize: "u32",
  stx_attributes: "u64",
  stx_nlink: "u32",
  stx_uid: "u32",
  stx_gid: "u32",
  stx_mode: "u16",
});
const STATX_BYTES = 256;
/** More than the users and groups of any host. */
const MOST_NAMES = 1 << 24;

const TYPE_MASK = 0o170000;
const TYPES: ReadonlyMap<number, string> = new Map([
  [0o020000, "c"],
  [0o060000, "b"],
  [0o040000, "d"],
  [0o100000, "-"],
  [0o010000, "p"],
  [0o140000, "s"],
]);

/**
 * Who may open `/dev/kvm`.
 *
 * @returns The facts, or `null` where there is no such file.
 */
export function deviceFacts(kernel: Kernel): DeviceFacts | null {
  const bytes = new Uint8Array(STATX_BYTES);
  if (kernel.statx(DEVICE, bytes) < 0) return null;
  const view = new DataView(bytes.buffer);
  return {
    path: DEVICE,
    mode: modeText(view.getUint16(statx.at.stx_mode, true)),
    owner: nameOf(kernel, "/etc/passwd", view.getUint32(statx.at.stx_uid, true)),
    group: nameOf(kernel, "/etc/group", view.getUint32(statx.at.stx_gid, true)),
  };
}

/**
 * A file's mode as `ls -l` shows it.
 *
 * @example
 * ```ts
 * import { modeText } from "./probe.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(modeText(0o020660), "crw-rw----");
 * ```
 *
 * @param mode `st_mode`.
 * @returns Ten letters.
 */
export function modeText(mode: number): string {
  let text = TYPES.get(mode & TYPE_MASK) ?? "?";
  for (let bit = 8; bit >= 0; bit--) {
    text += (mode >> bit) & 1 ? "xwr".charAt(bit % 3) : "-";
  }
  return text;
}

// The name in the first field of the line whose third field is the number.
function nameOf(kernel: Kernel, file: string, id: number): string {
  for (const line of (readText(kernel, file, MOST_NAMES) ?? "").split("\n")) {
    const [name, , number] = line.split(":");
    if (name !== undefined && number === `${id}`) return name;
  }
  return `${id}`;
}
