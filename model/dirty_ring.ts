// What differs between the kernels that the model can be (Rules), and the dirty ring itself.
import type { ModelKind, ModelVersion, PushStep, ResetCall } from "../ffi/insight.ts";
import { KVM_DIRTY_GFN_F_DIRTY, KVM_DIRTY_GFN_F_RESET } from "../ffi/kvm_constants.ts";
import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";

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
  /**
   * A write outside a running vCPU is dropped with a warning, from v5.17 on
   * (`push.no-running-vcpu`).
   */
  readonly dropsWritesOutsideVcpu: boolean;
  /**
   * Outside a running vCPU a write still reaches the slot's bitmap, if it has one: from v6.2 on.
   */
  readonly bitmapTakesRest: boolean;
  /** `KVM_PRE_FAULT_MEMORY`, from v6.11 on (`push.prefault`). */
  readonly hasPreFault: boolean;
  /** guest_memfd, and VMs that may use it, from v6.8 on (`slot.gmem-no-log`). */
  readonly hasGuestMemfd: boolean;
  /** Guest entries check for a full ring only if a push requested it: from v6.2 on. */
  readonly fullByRequest: boolean;
  /**
   * A reset's first `kvm_reset_dirty_gfn` call has an empty batch, up to v6.16
   * (`coalesce.calls-*`).
   */
  readonly emptyFirstCall: boolean;
  /** A pending signal ends a reset, from v6.17 on (`reset.signal`). */
  readonly signalEndsReset: boolean;
  /** The most entries that a reset takes, from v6.17 on (`reset.int-max`). */
  readonly resetMaximum: number;
  /** The bound of a batch is computed without wrapping, since 2026 (`slot.wraparound`). */
  readonly boundCannotWrap: boolean;
  /**
   * `KVM_SET_SREGS` refuses EFER.LME to a vCPU whose CPUID has no long mode: from v7.3 on
   * (184bd464bdb6), and in stable kernels of 2026.
   */
  readonly checksEfer: boolean;
  /** Pages that the mask of a reset batch can cover: BITS_PER_LONG. */
  readonly maskBits: number;
  /** Entries of the buffer in which the processor logs writes (PML); 0 without PML. */
  readonly pmlEntries: number;
  /** KVM reads the PML buffer in the order of the writes, from v6.14 on. */
  readonly pmlInOrder: boolean;
  /**
   * With PML, a page that is mapped over an MMIO entry begins clean, so that its first store is
   * pushed twice: by the fault and by the processor. The MMIO entry has the bit that means
   * "writable", and `make_spte` mistakes it for a writable mapping whose dirty bit is already
   * handled. Up to v6.12; v6.13 always sets the dirty bit (cc7ed3358e41). v5.11 has no such
   * shortcut for faults.
   */
  readonly deviceEntryStaysClean: boolean;
  /** Instructions emulated between two checks for requests; 0 where nothing is emulated. */
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
 * The rules of a kernel version on a kind of processor.
 *
 * @example
 * ```ts
 * import { rulesOf } from "./dirty_ring.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const old = rulesOf({ version: "v6.10", pml: true, emulator: false });
 * assertEquals([old.emptyFirstCall, old.signalEndsReset, old.reservedEntries], [true, false, 576]);
 * ```
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

// The dirty ring. Read it beside virt/kvm/dirty_ring.c: functions and fields have the names used
// there. Entries are in memory that the program maps; the two indices are not.

const ENTRY_WORDS = kvm_dirty_gfn.size / 4;
const FLAGS = kvm_dirty_gfn.at.flags / 4;
const SLOT = kvm_dirty_gfn.at.slot / 4;
const OFFSET = kvm_dirty_gfn.at.offset / 4;

/** `struct kvm_dirty_ring`. */
export interface DirtyRing {
  /** The entries, as the program maps them. */
  readonly dirty_gfns: Uint32Array<ArrayBuffer>;
  /** Size in entries, a power of two. */
  readonly size: number;
  /** Entries in use from which a guest entry reports a full ring. */
  readonly soft_limit: number;
  /** Where the next push goes: a free-running u32. */
  dirty_index: number;
  /** Where the next reset begins: a free-running u32. */
  reset_index: number;
}

/** What a reset needs from the rest of the kernel. */
export interface ResetContext {
  /** `signal_pending(current)`: asked once for each entry. */
  signal_pending(): boolean;
  /** `kvm_reset_dirty_gfn`: re-protects the pages of a batch. */
  kvm_reset_dirty_gfn(call: ResetCall): void;
}

/** The result of a walk over a ring. */
export interface ResetWalk {
  /** Entries reset. */
  readonly count: number;
  /** Whether a signal ended it: the batch being gathered is lost then. */
  readonly interrupted: boolean;
}

/**
 * Allocates an empty ring.
 *
 * @param bytes Its size, a power of two.
 */
export function kvm_dirty_ring_alloc(rules: Rules, bytes: number): DirtyRing {
  const size = bytes / kvm_dirty_gfn.size;
  return {
    dirty_gfns: new Uint32Array(bytes / 4),
    size,
    soft_limit: size - rules.reservedEntries,
    dirty_index: 0,
    reset_index: 0,
  };
}

/** Entries pushed and not reset yet. */
export function kvm_dirty_ring_used(ring: DirtyRing): number {
  return (ring.dirty_index - ring.reset_index) >>> 0;
}

/** Whether the soft limit is reached. */
export function kvm_dirty_ring_soft_full(ring: DirtyRing): boolean {
  return kvm_dirty_ring_used(ring) >= ring.soft_limit;
}

/** Whether a push would overwrite an entry that is still in use. */
export function kvm_dirty_ring_full(ring: DirtyRing): boolean {
  return kvm_dirty_ring_used(ring) >= ring.size;
}

/**
 * Pushes an entry. The flags are written last, so that a reader who sees them also sees the rest.
 * On a full ring the oldest entry is overwritten: the kernel warns and goes on.
 *
 * @param slot Address space << 16 | slot id.
 * @param offset Pages from the slot's base: 31 bits at most.
 * @param watch Called after each step with the entry's index.
 */
export function kvm_dirty_ring_push(
  ring: DirtyRing,
  slot: number,
  offset: number,
  watch: ((step: PushStep, index: number) => void) | null,
): void {
  const index = ring.dirty_index % ring.size;
  const { dirty_gfns } = ring;
  const at = index * ENTRY_WORDS;
  dirty_gfns[at + SLOT] = slot;
  watch?.("slot", index);
  dirty_gfns[at + OFFSET] = offset;
  dirty_gfns[at + OFFSET + 1] = 0;
  watch?.("offset", index);
  dirty_gfns[at + FLAGS] = KVM_DIRTY_GFN_F_DIRTY;
  watch?.("flags", index);
  ring.dirty_index = (ring.dirty_index + 1) >>> 0;
}

function kvm_dirty_gfn_harvested(flags: number): boolean {
  return (flags & KVM_DIRTY_GFN_F_RESET) !== 0;
}

/**
 * Resets harvested entries in order, up to the first that is not harvested. Neighbouring pages are
 * gathered into batches, and a batch is re-protected with one call.
 *
 * @param maximum The most entries to reset.
 * @returns Entries reset, and whether a signal ended the walk.
 */
export function kvm_dirty_ring_reset(
  ring: DirtyRing,
  rules: Rules,
  context: ResetContext,
  maximum: number,
): ResetWalk {
  const { dirty_gfns } = ring;
  const batch = { slot: 0, offset: 0n, mask: 0n };
  let count = 0;
  let is_first = true;
  const flush = () => {
    if (!is_first || rules.emptyFirstCall) context.kvm_reset_dirty_gfn({ ...batch });
  };
  while (count < maximum) {
    if (rules.signalEndsReset && context.signal_pending()) return { count, interrupted: true };
    const at = (ring.reset_index % ring.size) * ENTRY_WORDS;
    if (!kvm_dirty_gfn_harvested(dirty_gfns[at + FLAGS]!)) break;
    // Read from the mapping, as the kernel does: the program may have overwritten them.
    const slot = dirty_gfns[at + SLOT]!;
    const offset = (BigInt(dirty_gfns[at + OFFSET + 1]!) << 32n) | BigInt(dirty_gfns[at + OFFSET]!);
    dirty_gfns[at + FLAGS] = 0;
    ring.reset_index = (ring.reset_index + 1) >>> 0;
    count++;
    if (!is_first && slot === batch.slot && join(batch, offset, rules.maskBits)) continue;
    flush();
    batch.slot = slot;
    batch.offset = offset;
    batch.mask = 1n;
    is_first = false;
  }
  flush();
  return { count, interrupted: false };
}

// Adds a page to a batch, before or after its base. Answers false if the mask has no room for both.
function join(batch: { offset: bigint; mask: bigint }, offset: bigint, bits: number): boolean {
  const delta = BigInt.asIntN(64, offset - batch.offset);
  if (delta >= 0n && delta < bits) {
    batch.mask |= 1n << delta;
    return true;
  }
  if (delta < 0n && delta > -bits) {
    const shifted = batch.mask << -delta;
    if (BigInt.asUintN(bits, shifted) !== shifted) return false;
    batch.offset = offset;
    batch.mask = shifted | 1n;
    return true;
  }
  return false;
}
