import { errnoName } from "../ffi/errno.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { checked } from "../ffi/kernel_error.ts";
import { MAP_SHARED, PAGE_SIZE, PROT_READ, PROT_WRITE } from "../ffi/linux.ts";

/** A part of a file descriptor's memory, and how it is to be mapped. */
export interface MapRequest {
  /** The file descriptor. */
  readonly fd: number;
  /** Its first page. */
  readonly page: number;
  /** Pages. */
  readonly pages: number;
  /** `PROT_*` bits, by default `PROT_READ | PROT_WRITE`. */
  readonly protection?: number;
  /** `MAP_*` bits, by default `MAP_SHARED`. */
  readonly flags?: number;
}

/**
 * Maps pages, looks at them and unmaps them.
 *
 * @param kernel The kernel that answers.
 * @param request What to map.
 * @param look Called with the mapping's address; nothing of it may be kept.
 * @returns `"mapped"`, or the errno's name where the kernel refused: nothing was looked at then.
 */
export function mapped(
  kernel: Kernel,
  request: MapRequest,
  look: (address: number) => void = () => {},
): string {
  const { fd, page, pages, protection = PROT_READ | PROT_WRITE, flags = MAP_SHARED } = request;
  const length = pages * PAGE_SIZE;
  const address = kernel.mmap(length, protection, flags, fd, page * PAGE_SIZE);
  if (address < 0) return errnoName(-address);
  try {
    look(address);
  } finally {
    checked(kernel.munmap(address, length), `munmap(${length} bytes)`);
  }
  return "mapped";
}
