// What a host offers: KVM, its dirty ring and its limits; and who may open /dev/kvm.

import { HostError, KernelError } from "../../ffi/errors.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import * as constants from "../../ffi/kvm_constants.ts";
import { KVM_GET_API_VERSION } from "../../ffi/kvm_ioctls.ts";
import { kvm_dirty_gfn, struct } from "../../ffi/kvm_structs.ts";
import { kernelFacts, pageModificationLogging, readText, type Result } from "../../host/facts.ts";
import { DEVICE, inferReserved, largestRing, smallestRing, System } from "../../kvm/system.ts";

/** Something that this host lacks. */
export interface Problem {
  /** What is missing, with the system's answer. */
  readonly what: string;
  /** What to do about it. */
  readonly advice: string;
}

/** The ring sizes that a kernel takes. */
export interface RingRange {
  /** Entries of the largest ring, as the kernel answers. */
  readonly maxEntries: number;
  /** Entries of the smallest ring, found by trying. */
  readonly minEntries: number;
  /** Entries that the kernel keeps free. Inferred. */
  readonly reserved: number | null;
  /** Soft limit of the largest ring, in entries. Inferred. */
  readonly softLimitOfMax: number | null;
  /**
   * `reserved` and `softLimitOfMax` are inferred from the smallest ring; the kernel reports
   * neither.
   */
  readonly inferred: true;
}

/**
 * The result of `dirtyring probe`: what this host offers. If KVM cannot be used, most of it is
 * `null`.
 */
export interface ProbeResult extends Result {
  /** Name and version of this format. */
  readonly schema: "dirtyring.probe/1";
  /** Whether the other commands can run here. */
  readonly usable: boolean;
  /** What is missing. */
  readonly problems: readonly Problem[];
  /** `/dev/kvm` itself; `null` if it does not exist. */
  readonly device: DeviceFacts | null;
  /** Version of the KVM interface, which is 12. */
  readonly apiVersion: number | null;
  /** Capabilities by name, with their values. */
  readonly capabilities: Readonly<Record<string, number>>;
  /** The ring sizes that this kernel takes. */
  readonly ring: RingRange | null;
  /** Whether page-modification logging is on; `null` if the module has no parameter that says it. */
  readonly pml: boolean | null;
  /** How many vCPUs a VM may have: the recommended number, and the most. */
  readonly vcpus: { readonly recommended: number; readonly max: number } | null;
  /** How many memory slots an address space has. */
  readonly memorySlots: number | null;
  /** Size of the `kvm_run` mapping in bytes. */
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

/** Finds out what a host offers. Something that is missing is part of the result, not an error. */
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

// Runs a step; if it fails, notes the failure as a problem and returns null.
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

/** The type, the permissions and the owners of `/dev/kvm`. */
export interface DeviceFacts {
  /** Its path. */
  readonly path: string;
  /** Type and permissions, as `ls -l` shows them. */
  readonly mode: string;
  /** Name of the owner, or its number if it has no name. */
  readonly owner: string;
  /** Name of the group, or its number if it has no name. */
  readonly group: string;
}

// The first fields of `struct statx` of <linux/stat.h>.
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
/** The most bytes to read of a user or group file: more than any host has. */
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
 * Finds out who may open `/dev/kvm`.
 *
 * @returns The facts; `null` if the file does not exist.
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
 * @returns Ten characters.
 */
export function modeText(mode: number): string {
  let text = TYPES.get(mode & TYPE_MASK) ?? "?";
  for (let bit = 8; bit >= 0; bit--) {
    text += (mode >> bit) & 1 ? "xwr".charAt(bit % 3) : "-";
  }
  return text;
}

// In a file like /etc/passwd, the name (first field) of the line with this id (third field).
function nameOf(kernel: Kernel, file: string, id: number): string {
  for (const line of (readText(kernel, file, MOST_NAMES) ?? "").split("\n")) {
    const [name, , number] = line.split(":");
    if (name !== undefined && number === `${id}`) return name;
  }
  return `${id}`;
}
