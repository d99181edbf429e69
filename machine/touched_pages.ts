// Checks a guest's memory, without reading pages that nobody ever touched.
import type { Kernel } from "../ffi/kernel.ts";
import { O_CLOEXEC, O_RDONLY, PAGE_SIZE } from "../ffi/linux.ts";
import { type InterruptWatch, lastLook } from "../host/interrupt.ts";
import type { Witness } from "../memory/witness.ts";
import type { GuestVm } from "./guest_vm.ts";

const PAGEMAP = "/proc/self/pagemap";
const ENTRY_BYTES = 8;
/**
 * Bits 62 and 63 of an entry, in its high word: the page is swapped out (62) or present (63); see
 * proc_pid_pagemap(5).
 */
const SWAPPED_OR_PRESENT = 0xc000_0000;

/**
 * Finds which pages of lazily mapped memory were ever touched: only these can hold anything but
 * zeros. Reading the others would map a page of zeros for each, which takes seconds for a large
 * guest.
 */
export class TouchedPages implements Disposable {
  readonly #kernel: Kernel;
  readonly #address: number;
  readonly #fd: number;

  /**
   * Opens this process's page map.
   *
   * @param kernel The kernel that answers. A model has no page map: each page then counts as
   * touched.
   * @param address The address of the memory, a multiple of the page size.
   */
  constructor(kernel: Kernel, address: number) {
    this.#kernel = kernel;
    this.#address = address;
    this.#fd = kernel.open(PAGEMAP, O_RDONLY | O_CLOEXEC);
  }

  /**
   * The touched pages of a part of the memory; all its pages if the page map cannot be read.
   *
   * @param from The first page of the part, counted from the beginning of the memory.
   * @param to The page after the last one of the part.
   * @returns Page numbers, in order.
   */
  among(from: number, to: number): Uint32Array<ArrayBuffer> {
    const pages = new Uint32Array(to - from);
    const words = this.#entries(from, to);
    let found = 0;
    for (let n = 0; n < pages.length; n++) {
      if (words !== null && (words[n * 2 + 1]! & SWAPPED_OR_PRESENT) === 0) continue;
      pages[found++] = from + n;
    }
    return pages.subarray(0, found);
  }

  // Two words for each entry, the low one first; null if the kernel does not return all of them.
  #entries(from: number, to: number): Uint32Array | null {
    if (this.#fd < 0) return null;
    const bytes = new Uint8Array((to - from) * ENTRY_BYTES);
    const offset = (this.#address / PAGE_SIZE + from) * ENTRY_BYTES;
    const got = this.#kernel.pread(this.#fd, bytes, offset);
    return got === bytes.length ? new Uint32Array(bytes.buffer) : null;
  }

  /** Closes the page map. */
  [Symbol.dispose](): void {
    if (this.#fd >= 0) this.#kernel.close(this.#fd);
  }
}

/**
 * Pages that are checked between two looks for an interrupt: a tenth of a second if each has to be
 * mapped first.
 */
const CHECK_PAGES = 1 << 12;

/**
 * Checks all memory of a VM. Its vCPUs must stand still, and its dirty pages must all be harvested
 * and read. A large memory is checked in parts, and an interrupt that arrives meanwhile ends the
 * check. One that arrived before does not, unless the check takes long: an interrupted run is
 * checked like any other.
 *
 * @param witness Remembers the pages that were read. It records those that hold a lost store.
 */
export async function checkMemory(
  vm: GuestVm,
  witness: Witness,
  interrupt: InterruptWatch,
): Promise<void> {
  using touched = new TouchedPages(vm.vm.kernel, vm.memoryAddress);
  const { total } = vm.pages;
  const goesOn = lastLook(interrupt);
  let page = 0;
  using _step = interrupt.progress?.begin({ what: "checking memory", total, done: () => page });
  for (; page < total && goesOn(); page += CHECK_PAGES) {
    witness.check(touched.among(page, Math.min(page + CHECK_PAGES, total)));
    await interrupt.pause();
  }
}
