import { checked, errnoName } from "../../ffi/errors.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { MAP_SHARED, PAGE_SIZE, PROT_READ, PROT_WRITE } from "../../ffi/linux.ts";
import { expect } from "./expect.ts";
import { storeTo } from "./forged.ts";
import type { Machine } from "./machine.ts";

/**
 * Lets a vCPU store to pages of slot 1 until it reaches the end of the list.
 *
 * @param pages The pages, counted from slot 1's base.
 * @throws {CheckFailure} Where the guest stops for another reason.
 */
export function storePages(machine: Machine, pages: readonly number[], vcpu = 0): void {
  storeTo(machine, pages.map((page) => machine.gfn + page), vcpu);
}

/**
 * Lets a vCPU store to pages of slot 1 one at a time. Each store ends in an exit, so the entries
 * are in the order of the stores even with PML.
 *
 * @param pages The pages, counted from slot 1's base.
 * @throws {CheckFailure} Where the guest stops for another reason.
 */
export function pushPages(machine: Machine, pages: readonly number[], vcpu = 0): void {
  for (const page of pages) {
    const exit = machine.store(vcpu, [machine.gfn + page]);
    expect(`exit after a store to page ${page}`, exit, machine.guest.exit);
  }
}

/** Which part of a file descriptor to map, and how. */
export interface MapRequest {
  /** The file descriptor. */
  readonly fd: number;
  /** The first page to map. */
  readonly page: number;
  /** The number of pages. */
  readonly pages: number;
  /** `PROT_*` bits, by default `PROT_READ | PROT_WRITE`. */
  readonly protection?: number;
  /** `MAP_*` bits, by default `MAP_SHARED`. */
  readonly flags?: number;
}

/**
 * Maps pages, lets the caller look at them, and unmaps them.
 *
 * @param look Called with the mapping's address, which is valid only during the call.
 * @returns `"mapped"`, or the errno's name where the kernel refused; `look` is not called then.
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
