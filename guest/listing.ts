import type { Register } from "../ffi/kvm_structs.ts";

/** A program as a person reads it: the bytes of each instruction beside its assembly. */
export type Listing = readonly (readonly [readonly number[], string])[];

/**
 * The machine code of a listing.
 *
 * @param listing The program.
 * @returns Its bytes.
 */
export function machineCode(listing: Listing): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(listing.flatMap(([bytes]) => bytes));
}

/**
 * Where an instruction begins.
 *
 * @example
 * ```ts
 * import { offsetOf } from "./listing.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(offsetOf([[[0x90], "nop"], [[0x66, 0x49], "dec ecx"], [[0xf4], "hlt"]], "hlt"), 3);
 * ```
 *
 * @param listing The program.
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
