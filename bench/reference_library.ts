// The C reference, loaded. It is no part of the program, and so it does not go through ffi/, which
// knows libc alone.
import { kvm_sregs } from "../ffi/kvm_structs.ts";
import type { Guest } from "../guest/guest.ts";

// The C prototype stands beside each entry.
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

/** Memory that a function of the library reads or writes during its call. */
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
    /** Gives such a VM back. */
    reference_close(vm: Deno.PointerObject | null): void;
    /** Makes a VM, and runs it live. */
    reference_live(
      setup: Memory,
      slot0: Memory,
      patch: Memory,
      quests: Memory,
      result: Memory,
    ): number;
    /** Why the last call that failed did. */
    reference_problem(): Deno.PointerObject | null;
  };
  /** Unloads it. */
  close(): void;
}

/** The memory and the rings of a VM: `struct machine_setup` of reference.h, in its order. */
export interface MachineSetup {
  /** Ring size in bytes. */
  readonly ringBytes: number;
  /** All of slot 0: the guest's code and its access list. */
  readonly slot0: Uint8Array<ArrayBuffer>;
  /** Bytes of logged memory: one slot, behind slot 0. */
  readonly loggedBytes: number;
}

/**
 * Loads the library.
 *
 * @param path Its path, as `compileReference` answered it.
 * @returns The library, for its caller to close.
 */
export function loadReference(path: string): ReferenceLibrary {
  // SAFETY: the library is our own, compiled from the prototypes above.
  return Deno.dlopen(path, SYMBOLS);
}

/**
 * What the last call that failed says about it.
 *
 * @param library The library.
 * @returns The error, to be thrown.
 */
export function referenceProblem(library: ReferenceLibrary): Error {
  const text = library.symbols.reference_problem();
  // SAFETY: a string of the library's own that ends in NUL; it lives until the library is closed.
  return new Error(`C: ${text === null ? "" : Deno.UnsafePointerView.getCString(text)}`);
}

/**
 * What a guest's program wants of a fresh vCPU's `struct kvm_sregs`, for a program that knows no
 * guest: `struct sregs_patch` of reference.h.
 *
 * @param guest The guest program.
 * @returns For each byte of the struct whether it is to be set; then the bytes.
 */
export function sregsPatch(guest: Guest): Uint8Array<ArrayBuffer> {
  // What is the same whatever was there before is what the guest sets.
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
