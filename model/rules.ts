import type { ModelKind, ModelVersion } from "../ffi/model_kind.ts";

/** What differs between kernel versions and processors: docs/abi.md. */
export interface Rules {
  /** What uname(2) would call the release. */
  readonly release: string;
  /** Largest ring in bytes (`cap.max-bytes`). */
  readonly largestRing: number;
  /** `KVM_CAP_DIRTY_LOG_RING_ACQ_REL`, from v6.1 on (`cap.acq-rel`). */
  readonly hasAcquireRelease: boolean;
  /** `KVM_CAP_BINARY_STATS_FD`, from v5.14 on. */
  readonly hasStatsFd: boolean;
  /** Entries kept free for pushes after the soft limit (`limit.reserved`). */
  readonly reservedEntries: number;
  /** Anonymous inodes cannot be mapped for execution, from v6.16 on (`mmap.exec`). */
  readonly isNoExec: boolean;
  /** A write outside a running vCPU is dropped with a warning, from v5.17 on (`push.no-running-vcpu`). */
  readonly dropsWritesOutsideVcpu: boolean;
  /** Outside a running vCPU a write still reaches the slot's bitmap, if it has one: from v6.2 on. */
  readonly bitmapTakesRest: boolean;
  /** `KVM_PRE_FAULT_MEMORY`, from v6.11 on (`push.prefault`). */
  readonly hasPreFault: boolean;
  /** guest_memfd, and VMs that may use it, from v6.8 on (`slot.gmem-no-log`). */
  readonly hasGuestMemfd: boolean;
  /** A full ring is looked for where a push asked for it, not at every guest entry: from v6.2 on. */
  readonly fullByRequest: boolean;
  /** A walk begins by resetting a batch that holds nothing, up to v6.16 (`coalesce.calls-*`). */
  readonly emptyFirstCall: boolean;
  /** A pending signal ends a reset, from v6.17 on (`reset.signal`). */
  readonly signalEndsReset: boolean;
  /** The most entries that a reset takes, from v6.17 on (`reset.int-max`). */
  readonly resetMaximum: number;
  /** The bound of a batch is computed without wrapping, since 2026 (`slot.wraparound`). */
  readonly boundCannotWrap: boolean;
  /**
   * `KVM_SET_SREGS` refuses EFER.LME to a vCPU whose CPUID has no long mode: from v7.3 on (184bd464bdb6), and in
   * stable kernels of 2026.
   */
  readonly checksEfer: boolean;
  /** Pages that a mask can name: BITS_PER_LONG. */
  readonly maskBits: number;
  /** Writes are logged by the processor in a buffer of this many entries; 0 without PML. */
  readonly pmlEntries: number;
  /** The processor's buffer is read in the order of the writes, from v6.14 on. */
  readonly pmlInOrder: boolean;
  /**
   * With PML, a page mapped where KVM had noted a device begins clean, so that the processor notes its first
   * store beside the fault's push: the entry for the device has the bit that means "writable", and `make_spte`
   * takes it for a writable mapping whose dirty bit was dealt with. Up to v6.12; v6.13 always sets the dirty bit
   * (cc7ed3358e41). v5.11 has no such shortcut for faults.
   */
  readonly deviceEntryStaysClean: boolean;
  /** Instructions that are emulated before requests are looked at again; 0 where none is. */
  readonly emulationBatch: number;
}

const RELEASES: Readonly<Record<ModelVersion, string>> = {
  "v5.11": "5.11.0",
  "v6.1": "6.1.0",
  "v6.10": "6.10.0",
  "v6.12": "6.12.0",
  "v6.14": "6.14.0",
  "v6.17": "6.17.0",
  latest: "6.18.0",
};

/** `KVM_DIRTY_RING_RSVD_ENTRIES`. */
const RESERVED = 64;
/** `KVM_DIRTY_RING_MAX_ENTRIES`, 16 bytes each. */
const LARGEST_RING = 65536 * 16;
const PML_ENTRIES = 512;
const EMULATION_BATCH = 1024;
const INT_MAX = 2 ** 31 - 1;

/**
 * The rules of a kernel version on a processor.
 *
 * @example
 * ```ts
 * import { rulesOf } from "./rules.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const old = rulesOf({ version: "v6.10", pml: true, emulator: false });
 * assertEquals([old.emptyFirstCall, old.signalEndsReset, old.reservedEntries], [true, false, 576]);
 * ```
 *
 * @param choice The version and the processor.
 * @returns The rules.
 */
export function rulesOf({ version, pml, emulator }: ModelKind): Rules {
  const release = RELEASES[version];
  const [major, minor] = release.split(".").map(Number);
  const number = major! * 1000 + minor!;
  return {
    release,
    largestRing: LARGEST_RING,
    hasAcquireRelease: number >= 6001,
    hasStatsFd: number >= 5014,
    reservedEntries: RESERVED + (pml ? PML_ENTRIES : 0),
    isNoExec: number >= 6016,
    dropsWritesOutsideVcpu: number >= 5017,
    bitmapTakesRest: number >= 6002,
    hasPreFault: number >= 6011,
    hasGuestMemfd: number >= 6008,
    fullByRequest: number >= 6002,
    emptyFirstCall: number < 6017,
    signalEndsReset: number >= 6017,
    resetMaximum: number >= 6017 ? INT_MAX : Infinity,
    boundCannotWrap: version === "latest",
    checksEfer: version === "latest",
    maskBits: 64,
    pmlEntries: pml ? PML_ENTRIES : 0,
    pmlInOrder: number >= 6014,
    deviceEntryStaysClean: pml && number >= 6001 && number < 6013,
    emulationBatch: emulator ? EMULATION_BATCH : 0,
  };
}
