import type { Kernel } from "../ffi/kernel.ts";
import { O_CLOEXEC, O_RDONLY, PAGE_SIZE } from "../ffi/linux.ts";
import { type InterruptWatch, lastLook } from "../host/interrupt.ts";
import type { Witness } from "../memory/witness.ts";
import type { GuestVm } from "./guest_vm.ts";

const PAGEMAP = "/proc/self/pagemap";
const ENTRY_BYTES = 8;
/** Bits 62 and 63 of an entry, in its high word: the page is swapped out, or present (proc_pid_pagemap(5)). */
const SWAPPED_OR_PRESENT = 0xc000_0000;

/**
 * Tells which pages of a lazily mapped memory have ever been touched: only these can hold anything but zeros.
 * To read the others instead would map a page of zeros for each, and take seconds for a large guest.
 */
export class TouchedPages implements Disposable {
  readonly #kernel: Kernel;
  readonly #address: number;
  readonly #fd: number;

  /**
   * Opens this process's page map.
   *
   * @param kernel The kernel that answers. A model has no page map: there each page counts as touched.
   * @param address Where the memory lies, a multiple of the page size.
   */
  constructor(kernel: Kernel, address: number) {
    this.#kernel = kernel;
    this.#address = address;
    this.#fd = kernel.open(PAGEMAP, O_RDONLY | O_CLOEXEC);
  }

  /**
   * The touched pages of a part of the memory; all of them where that cannot be told.
   *
   * @param from Its first page, counted from the memory's beginning.
   * @param to The page after its last.
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

  // Two words an entry, the low one first; null where the kernel does not tell them all.
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

/** Pages that are checked between two looks for an interrupt: where each is mapped first, a tenth of a second. */
const CHECK_PAGES = 1 << 12;

/**
 * Checks all memory of a VM whose vCPUs stand still and whose dirty pages are all harvested and read. In parts: a large
 * one may take a while, and an interrupt that comes meanwhile ends it. One that came before does not, unless it takes
 * long: what was gathered is checked like any other run.
 *
 * @param witness What remembers the pages read; it gets the lost ones.
 */
export async function checkMemory(
  vm: GuestVm,
  witness: Witness,
  interrupt: InterruptWatch,
): Promise<void> {
  using touched = new TouchedPages(vm.vm.kernel, vm.memoryAddress);
  const { total } = vm.pages;
  const goesOn = lastLook(interrupt);
  for (let page = 0; page < total && goesOn(); page += CHECK_PAGES) {
    witness.check(touched.among(page, Math.min(page + CHECK_PAGES, total)));
    await interrupt.pause();
  }
}
