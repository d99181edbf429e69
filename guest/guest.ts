// What a guest program is, and how its listing becomes machine code.
import type { Register } from "../ffi/kvm_structs.ts";

/** The name of a guest program. */
export type GuestName = "real16" | "long64";

/** The stores that one vCPU makes in one round. */
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
 * A guest program: it walks a list of addresses, stores a growing value at each, and stops. Every
 * program counts the remaining stores down in rcx and has the value in rbx. A vCPU's thread starts
 * it again by setting these two alone.
 */
export interface Guest {
  /** Its name. */
  readonly name: GuestName;
  /** How it stops after its last store. */
  readonly exit: "KVM_EXIT_HLT" | "KVM_EXIT_IO";
  /** Its machine code. */
  readonly code: Uint8Array<ArrayBuffer>;
  /** Guest physical address of its code and of its first instruction. */
  readonly codeAt: number;
  /**
   * Guest physical address of the access list, page aligned. All memory below is the program's own.
   */
  readonly listAt: number;
  /** Bytes of a list element: a little-endian address. */
  readonly listElement: 4 | 8;
  /** The first guest physical address that it cannot reach. */
  readonly addressLimit: number;
  /** Why it cannot, for an error: `a real-mode guest has 32-bit addresses`. */
  readonly limitReason: string;
  /**
   * Writes the code and its tables to guest memory, which begins at address 0 and reads as zero.
   */
  place(memory: Uint8Array<ArrayBuffer>): void;
  /** Makes a fresh vCPU's `struct kvm_sregs` fit the program, in place. */
  prepare(sregs: DataView<ArrayBuffer>): void;
  /** The general registers to begin an errand with. */
  begin(errand: Errand): Readonly<Partial<Record<Register, bigint>>>;
  /**
   * The number of stores still to make, at whatever instruction the program was stopped.
   *
   * @param register Reads a general register.
   * @returns Stores; 0 once all are made.
   */
  remaining(register: (name: Register) => bigint): number;
}

/** A program in readable form: the bytes of each instruction with its assembly. */
export type Listing = readonly (readonly [readonly number[], string])[];

/** The machine code of a listing. */
export function machineCode(listing: Listing): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(listing.flatMap(([bytes]) => bytes));
}

/**
 * The offset of an instruction.
 *
 * @example
 * ```ts
 * import { offsetOf } from "./guest.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(offsetOf([[[0x90], "nop"], [[0x66, 0x49], "dec ecx"], [[0xf4], "hlt"]], "hlt"), 3);
 * ```
 *
 * @param words A part of the instruction's assembly; the first instruction that has it counts.
 * @returns Bytes from the program's beginning.
 * @throws {RangeError} If no instruction has it.
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
 * Implements {@linkcode Guest.remaining}. rcx holds the stores left, except between a store and the
 * instruction that counts it: there one fewer is left.
 *
 * @param listing The program, with one instruction marked "the store" and one marked "the count".
 * @param codeAt Guest physical address of the program.
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
