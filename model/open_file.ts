import { ERRNO } from "../ffi/errno.ts";
import type { Backing } from "./address_space.ts";

/** An ioctl's argument: a number, which may be an address, or the bytes of a struct. */
export type Argument = number | bigint | Uint8Array<ArrayBuffer>;

/** What a file descriptor stands for. */
export interface OpenFile {
  /**
   * ioctl(2).
   *
   * @returns A result, or minus an errno.
   */
  ioctl?(request: number, argument: Argument): number;
  /**
   * read(2).
   *
   * @returns Bytes read, or minus an errno.
   */
  read?(into: Uint8Array<ArrayBuffer>): number;
  /**
   * mmap(2): what stands at an offset of the file.
   *
   * @returns What is mapped, or minus an errno.
   */
  mmap?(request: MapRequest): Backing | number;
}

/** What of a file is to be mapped. */
export interface MapRequest {
  /** The first page. */
  readonly page: number;
  /** Pages. */
  readonly pages: number;
  /** `PROT_*` bits. */
  readonly protection: number;
  /** `MAP_*` bits. */
  readonly flags: number;
}

/**
 * A file that holds bytes: it is read from its beginning on.
 *
 * @param content The bytes.
 * @returns The file.
 */
export function bytesFile(content: Uint8Array<ArrayBuffer>): OpenFile {
  let at = 0;
  return {
    read(into) {
      const part = content.subarray(at, at + into.length);
      into.set(part);
      at += part.length;
      return part.length;
    },
    ioctl: () => -ERRNO.ENOTTY,
  };
}
