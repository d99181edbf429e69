// Loads the C reference. It is not a part of the program, so it does not use ffi/, which binds only
// libc.
import { KVM_EXIT_HLT, KVM_EXIT_IO } from "../ffi/kvm_constants.ts";
import { kvm_sregs } from "../ffi/kvm_structs.ts";
import type { Errand, Guest } from "../guest/guest.ts";
import { registersStruct } from "../kvm/vcpu.ts";

// The C prototype of each entry is above it.
const SYMBOLS = {
  // uint32_t reference_harvest(struct kvm_dirty_gfn *ring, uint32_t entries, uint32_t fetch,
  //                            uint32_t limit, uint32_t *slots, uint64_t *offsets);
  reference_harvest: {
    parameters: ["buffer", "u32", "u32", "u32", "buffer", "buffer"],
    result: "u32",
  },
  // struct vm *reference_open(const struct setup *setup, const uint8_t *slot0,
  //                           const struct sregs_patch *patch);
  reference_open: { parameters: ["buffer", "buffer", "buffer"], result: "pointer" },
  // int reference_round(struct vm *vm, struct round *round);
  reference_round: { parameters: ["pointer", "buffer"], result: "i32" },
  // void reference_close(struct vm *vm);
  reference_close: { parameters: ["pointer"], result: "void" },
  // int reference_live(const struct live_setup *setup, const uint8_t *slot0,
  //                    const struct sregs_patch *patch, const struct quest *quests,
  //                    struct live_result *result);
  reference_live: {
    parameters: ["buffer", "buffer", "buffer", "buffer", "buffer"],
    result: "i32",
  },
  // const char *reference_problem(void);
  reference_problem: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Memory that a function of the library reads or writes during the call. */
export type Memory =
  | Uint8Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>;

/** The library's functions, as C declares them. */
export interface ReferenceLibrary {
  /** The functions. */
  readonly symbols: {
    /** Takes dirty entries out of a ring. */
    reference_harvest(
      ring: Memory,
      entries: number,
      fetch: number,
      limit: number,
      slots: Memory,
      offsets: Memory,
    ): number;
    /** Makes a VM for rounds. */
    reference_open(setup: Memory, slot0: Memory, patch: Memory): Deno.PointerObject | null;
    /** Runs a round. */
    reference_round(vm: Deno.PointerObject | null, round: Memory): number;
    /** Releases a VM of `reference_open`. */
    reference_close(vm: Deno.PointerObject | null): void;
    /** Makes a VM, and runs it live. */
    reference_live(
      setup: Memory,
      slot0: Memory,
      patch: Memory,
      quests: Memory,
      result: Memory,
    ): number;
    /** The reason of the last failure. */
    reference_problem(): Deno.PointerObject | null;
  };
  /** Unloads the library. */
  close(): void;
}

/**
 * The memory and the rings of a VM: `struct machine_setup` of reference.h, in the order of its
 * fields.
 */
export interface MachineSetup {
  /** Ring size in bytes. */
  readonly ringBytes: number;
  /** All of slot 0: the guest's code and its access list. */
  readonly slot0: Uint8Array<ArrayBuffer>;
  /** Bytes of logged memory: one slot, after slot 0. */
  readonly loggedBytes: number;
}

/**
 * Loads the library.
 *
 * @param path Its path, as returned by `compileReference`.
 * @returns The library, which the caller closes.
 */
export function loadReference(path: string): ReferenceLibrary {
  // SAFETY: the library is our own, compiled from the prototypes above.
  return Deno.dlopen(path, SYMBOLS);
}

/**
 * The error of the last call that failed.
 *
 * @returns The error, for the caller to throw.
 */
export function referenceProblem(library: ReferenceLibrary): Error {
  const text = library.symbols.reference_problem();
  // SAFETY: a string of the library's own that ends in NUL; it lives until the library is closed.
  return new Error(`C: ${text === null ? "" : Deno.UnsafePointerView.getCString(text)}`);
}

/**
 * What a guest's program changes in a fresh vCPU's `struct kvm_sregs`, in a form for C code that
 * knows no guests: `struct sregs_patch` of reference.h.
 *
 * @returns For each byte of the struct 1 if it is to be set, otherwise 0; then the bytes
 * themselves.
 */
export function sregsPatch(guest: Guest): Uint8Array<ArrayBuffer> {
  // A byte that ends up the same, whatever it was before, is one that the guest sets.
  const [zeros, ones] = [0, 0xff].map((byte) => {
    const bytes = new Uint8Array(kvm_sregs.size).fill(byte);
    guest.prepare(new DataView(bytes.buffer));
    return bytes;
  });
  const patch = new Uint8Array(2 * kvm_sregs.size);
  zeros!.forEach((byte, n) => {
    if (byte !== ones![n]) return;
    patch[n] = 1;
    patch[kvm_sregs.size + n] = byte;
  });
  return patch;
}

/** The task of a vCPU of a live run: walk its block of the list until its stores are made. */
export interface LiveQuest {
  /** Its first pass over its block; the counter continues from pass to pass. */
  readonly pass: Errand;
  /** Stores in all. */
  readonly stores: number;
}

/** The options of a live run of the reference. */
export interface LiveSetup extends MachineSetup {
  /** The guest program. */
  readonly guest: Guest;
  /** A quest for each vCPU. */
  readonly quests: readonly LiveQuest[];
  /** Milliseconds from the end of a harvest of all rings to the next harvest. */
  readonly intervalMs: number;
  /** The longest that the run may take, in milliseconds. */
  readonly timeoutMs: number;
}

/** The figures of a live run of the reference: `struct live_result` of reference_live.c. */
export interface LiveReferenceResult {
  /** Nanoseconds from the start of the vCPUs until all had made their stores. */
  readonly runNs: number;
  /** Stores made, over all vCPUs. */
  readonly stores: number;
  /** Entries harvested. */
  readonly entries: number;
  /** `KVM_EXIT_DIRTY_RING_FULL` exits. */
  readonly fullExits: number;
  /** `KVM_RESET_DIRTY_RINGS` calls. */
  readonly resets: number;
  /** Nanoseconds from a full exit until just before the next `KVM_RUN`; 0 if there was none. */
  readonly fullStop: { readonly p50Ns: number; readonly p99Ns: number; readonly maxNs: number };
  /** Nanoseconds spent harvesting. */
  readonly harvestNs: number;
  /** Nanoseconds spent in `KVM_RESET_DIRTY_RINGS`. */
  readonly resetNs: number;
  /** Nanoseconds spent reading the harvested pages. */
  readonly readNs: number;
  /** Pages that hold a store for which no entry was harvested. */
  readonly lost: number;
}

const RESULT_WORDS = 12;

/**
 * Makes a VM and runs it live, in C. The call blocks, and its threads end before it returns.
 *
 * @throws {Error} If a call failed, if counts differ, or if it took too long.
 */
export function referenceLive(library: ReferenceLibrary, setup: LiveSetup): LiveReferenceResult {
  const { ringBytes, slot0, loggedBytes, guest, quests } = setup;
  const end = guest.exit === "KVM_EXIT_HLT" ? KVM_EXIT_HLT : KVM_EXIT_IO;
  const [interval, timeout] = [setup.intervalMs * 1e6, setup.timeoutMs * 1e6];
  const fields = [ringBytes, slot0.length, loggedBytes, quests.length, end, interval, timeout];
  const result = new BigUint64Array(RESULT_WORDS);
  // SAFETY: seven words are all of `struct live_setup`, whose second says how many bytes `slot0` has
  // and whose fourth how many quests there are; the patch is a whole `struct sregs_patch` and the
  // result a whole `struct live_result`. C keeps no pointer after the call.
  const answer = library.symbols.reference_live(
    BigUint64Array.from(fields, BigInt),
    slot0,
    sregsPatch(guest),
    questBytes(guest, quests),
    result,
  );
  if (answer !== 0) throw referenceProblem(library);
  const at = (n: number) => Number(result[n]!);
  return {
    runNs: at(0),
    stores: at(1),
    entries: at(2),
    fullExits: at(3),
    resets: at(4),
    fullStop: { p50Ns: at(5), p99Ns: at(6), maxNs: at(7) },
    harvestNs: at(8),
    resetNs: at(9),
    readNs: at(10),
    lost: at(11),
  };
}

// `struct quest` of reference_live.h, one after another.
function questBytes(guest: Guest, quests: readonly LiveQuest[]): Uint8Array<ArrayBuffer> {
  const parts = quests.map(({ pass, stores }) => {
    const registers = registersStruct(guest.begin(pass));
    const quest = new Uint8Array(registers.length + BigUint64Array.BYTES_PER_ELEMENT);
    quest.set(registers);
    new DataView(quest.buffer).setBigUint64(registers.length, BigInt(stores), true);
    return quest;
  });
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  parts.forEach((part, n) => all.set(part, n * part.length));
  return all;
}
