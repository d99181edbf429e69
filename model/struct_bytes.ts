import type { AddressSpace } from "./address_space.ts";
import type { Argument } from "./open_file.ts";

/**
 * The bytes of a struct that an ioctl is given: passed as they are, or where an address points.
 *
 * @param space The program's address space.
 * @param argument The ioctl's argument.
 * @param size Bytes of the struct.
 * @returns The bytes, or `null` where the kernel would answer EFAULT.
 */
export function structBytes(
  space: AddressSpace,
  argument: Argument,
  size: number,
): Uint8Array<ArrayBuffer> | null {
  if (typeof argument !== "object") return space.bytes(Number(argument), size);
  if (argument.length < size) {
    throw new RangeError(`Cannot pass ${argument.length} bytes where ${size} are read`);
  }
  return argument;
}
