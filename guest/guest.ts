import type { Register } from "../ffi/kvm_structs.ts";

/** The name of a guest program. */
export type GuestName = "real16" | "long64";

/** What one vCPU does in one round. */
export interface Errand {
  /** Guest physical address of its first list element. */
  readonly list: number;
  /** Stores to make: one for each list element. */
  readonly stores: number;
  /** The value of its first store. */
  readonly value: number;
  /** What is added to the value after each store. */
  readonly step: number;
}

/**
 * A guest program: it walks a list of addresses, stores a growing value at each, and stops. Every one counts the
 * stores left down in rcx and has the value in rbx: by these two alone a vCPU's thread begins it again.
 */
export interface Guest {
  /** Its name. */
  readonly name: GuestName;
  /** How it stops when all its stores are made. */
  readonly exit: "KVM_EXIT_HLT" | "KVM_EXIT_IO";
  /** Its machine code. */
  readonly code: Uint8Array<ArrayBuffer>;
  /** Guest physical address of its code, where it also begins. */
  readonly codeAt: number;
  /** Guest physical address of the access list, page aligned: what lies below is the program's. */
  readonly listAt: number;
  /** Bytes of a list element: a little-endian address. */
  readonly listElement: 4 | 8;
  /** The first guest physical address that it cannot reach. */
  readonly addressLimit: number;
  /** Why it cannot, for an error: `a real-mode guest has 32-bit addresses`. */
  readonly limitReason: string;
  /** Puts the code and what it needs into guest memory from address 0 on, which reads as zero. */
  place(memory: Uint8Array<ArrayBuffer>): void;
  /** Makes a fresh vCPU's `struct kvm_sregs` fit the program, in place. */
  prepare(sregs: DataView<ArrayBuffer>): void;
  /** The general registers to begin an errand with. */
  begin(errand: Errand): Readonly<Partial<Record<Register, bigint>>>;
  /**
   * The stores still to be made, wherever the program was stopped.
   *
   * @param register Reads a general register.
   * @returns Stores; 0 once all are made.
   */
  remaining(register: (name: Register) => bigint): number;
}

/** A program as a person reads it: the bytes of each instruction beside its assembly. */
export type Listing = readonly (readonly [readonly number[], string])[];

/** The machine code of a listing. */
export function machineCode(listing: Listing): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(listing.flatMap(([bytes]) => bytes));
}

/**
 * Where an instruction begins.
 *
 * @example
 * ```ts
 * import { offsetOf } from "./guest.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(offsetOf([[[0x90], "nop"], [[0x66, 0x49], "dec ecx"], [[0xf4], "hlt"]], "hlt"), 3);
 * ```
 *
 * @param words Words in the instruction's assembly.
 * @returns Bytes from the program's beginning.
 * @throws {RangeError} Where no instruction has these words.
 */
export function offsetOf(listing: Listing, words: string): number {
  let offset = 0;
  for (const [bytes, assembly] of listing) {
    if (assembly.includes(words)) return offset;
    offset += bytes.length;
  }
  throw new RangeError(`Cannot find an instruction: ${words}`);
}

/**
 * The stores that a program has still to make, wherever it was stopped: rcx counts down, but a program
 * that was stopped between the store and the count of it has one fewer left.
 *
 * @param listing The program, with an instruction that is "the store" and one that is "the count".
 * @param codeAt Guest physical address of the program, where rip counts from.
 * @returns A function that answers the stores left, given what reads a general register.
 */
export function storesLeft(
  listing: Listing,
  codeAt: number,
): (register: (name: Register) => bigint) => number {
  const storeAt = codeAt + offsetOf(listing, "the store");
  const countAt = codeAt + offsetOf(listing, "the count");
  return (register) => {
    const left = Number(register("rcx"));
    const at = Number(register("rip"));
    return at > storeAt && at <= countAt ? left - 1 : left;
  };
}
