import { PAGE_SIZE } from "../ffi/linux.ts";
import { Segment } from "./decode.ts";
import type { Registers } from "./registers.ts";

const PAGE = PAGE_SIZE; // a local copy, for the reason given in fetcher.ts
// Bits of an address within its page. `&` is exact below 2^53 and, unlike `%`, fast on large
// numbers.
const IN_PAGE = PAGE - 1;

/**
 * Memory as instructions address it: by segment and offset, through segmentation and page tables.
 */
export class LinearMemory {
  readonly #memory: CpuMemory;
  readonly #registers: Registers;
  readonly #paging: Paging;
  // The page of the code that runs, as an offset in the code segment, and its physical address.
  #codePage = -1;
  #codeBase = 0;
  /** Low word of the last load. */
  low = 0;
  /** High word of the last load. */
  high = 0;
  /** Physical address of the last store; if that crossed a page, of its last byte. */
  stored = 0;
  /** Physical address of the first byte of the last store. */
  storedFrom = 0;
  /**
   * Whether an access answered false because of an exception; if not, the vCPU must leave the
   * guest.
   */
  isShutdown = false;

  /** Begins with no cached translation, on guest physical memory. */
  constructor(memory: CpuMemory, registers: Registers) {
    this.#memory = memory;
    this.#registers = registers;
    this.#paging = new Paging(memory);
  }

  /** Begins a run: memory may have changed since the last. */
  begin(): void {
    this.#codePage = -1;
  }

  /** Forgets all translations. */
  flush(): void {
    this.#codePage = -1;
    this.#paging.flush();
  }

  /**
   * The physical address of an instruction. The translation of its page is cached.
   *
   * @param rip Its offset in the code segment.
   * @returns The address; below 0 if it cannot be translated.
   */
  codeAddress(rip: number): number {
    const inPage = rip & IN_PAGE;
    this.isShutdown = false;
    if (rip - inPage !== this.#codePage) {
      const address = this.#translate(rip, 1, Segment.CS, false);
      if (address < 0) return address;
      this.#codePage = rip - inPage;
      this.#codeBase = address - inPage;
    }
    return this.#codeBase + inPage;
  }

  /**
   * Loads data.
   *
   * @param offset Its offset in the segment, in bytes.
   * @param size 1, 2, 4 or 8 bytes.
   * @param segment One of {@linkcode Segment}.
   * @returns Whether it was loaded.
   */
  load(offset: number, size: number, segment: number): boolean {
    if (this.#crosses(offset, size, segment)) return this.#loadCrossing(offset, size, segment);
    const address = this.#translate(offset, size, segment, false);
    if (address < 0) return false;
    if (!this.#memory.load(address, size)) return this.#leave();
    this.low = this.#memory.low;
    this.high = this.#memory.high;
    return true;
  }

  /**
   * Stores data.
   *
   * @param offset Its offset in the segment, in bytes.
   * @param size 1, 2, 4 or 8 bytes.
   * @param segment One of {@linkcode Segment}.
   * @returns Whether it was stored.
   */
  store(offset: number, size: number, segment: number, low: number, high: number): boolean {
    if (this.#crosses(offset, size, segment)) {
      return this.#storeCrossing(offset, size, segment, low, high) === size;
    }
    const address = this.#translate(offset, size, segment, true);
    if (address < 0) return false;
    if (!this.#memory.store(address, size, low, high)) return this.#leave();
    this.stored = address;
    this.storedFrom = address;
    return true;
  }

  /**
   * Stores where the last load read. If the store crosses a page and fails in the second one, the
   * bytes in the first are restored: the instruction runs again, and loads them again.
   *
   * @param offset Its offset in the segment, in bytes.
   * @param size 1, 2, 4 or 8 bytes.
   * @param segment One of {@linkcode Segment}.
   * @returns Whether it was stored.
   */
  storeBack(offset: number, size: number, segment: number, low: number, high: number): boolean {
    if (!this.#crosses(offset, size, segment)) return this.store(offset, size, segment, low, high);
    const stored = this.#storeCrossing(offset, size, segment, low, high);
    if (stored === size) return true;
    const wasShutdown = this.isShutdown;
    for (let n = 0; n < stored; n++) {
      this.store(offset + n, 1, segment, byteOf(n, this.low, this.high), 0);
    }
    this.isShutdown = wasShutdown;
    return false;
  }

  #leave(): false {
    this.isShutdown = false;
    return false;
  }

  // The physical address of an access; below 0 if it cannot be translated.
  #translate(offset: number, size: number, segment: number, isWrite: boolean): number {
    const registers = this.#registers;
    if (offset < 0 || offset + size - 1 > registers.limits[segment]!) {
      this.isShutdown = true;
      return Translation.FAULT;
    }
    const linear = registers.bases[segment]! + offset;
    if (!registers.isLong) return linear >>> 0;
    const found = this.#paging.translate(linear, isWrite, registers.cpl === 3, registers.root);
    if (found < 0) this.isShutdown = found === Translation.FAULT;
    return found;
  }

  // Page boundaries are those of linear addresses, as a segment may begin anywhere.
  #crosses(offset: number, size: number, segment: number): boolean {
    return ((this.#registers.bases[segment]! + offset) & IN_PAGE) + size > PAGE;
  }

  // An access that crosses a page is made byte by byte.
  #loadCrossing(offset: number, size: number, segment: number): boolean {
    let low = 0;
    let high = 0;
    for (let n = 0; n < size; n++) {
      if (!this.load(offset + n, 1, segment)) return false;
      if (n < 4) low = (low | (this.low << (8 * n))) >>> 0;
      else high = (high | (this.low << (8 * (n - 4)))) >>> 0;
    }
    this.low = low;
    this.high = high;
    return true;
  }

  // Answers how many bytes were stored.
  #storeCrossing(
    offset: number,
    size: number,
    segment: number,
    low: number,
    high: number,
  ): number {
    let from = 0;
    for (let n = 0; n < size; n++) {
      if (!this.store(offset + n, 1, segment, byteOf(n, low, high), 0)) return n;
      if (n === 0) from = this.stored;
    }
    this.storedFrom = from;
    return size;
  }
}

function byteOf(n: number, low: number, high: number): number {
  return (n < 4 ? low >>> (8 * n) : high >>> (8 * (n - 4))) & 0xff;
}

/** The result of a translation that gave no physical address. */
const Translation = {
  /** The page tables do not allow the access: a page fault in the guest. */
  FAULT: -1,
  /** The vCPU must leave the guest before the page tables can be read. */
  LEAVE: -2,
} as const;

const PRESENT = 1;
const WRITABLE = 2;
const USER = 4;
const LARGE = 0x80;
const REGION = 2 ** 21;
const ADDRESS_BITS = 36; // a vCPU's default, if its CPUID says nothing
const LOW_ADDRESS = 0xffff_f000;
const HIGH_ADDRESS = 2 ** (ADDRESS_BITS - 32) - 1;
/** Bits of an entry's high word that are reserved: 36 to 51 (bit 63 is, without EFER.NX). */
const RESERVED_HIGH = (0x800f_ffff & ~HIGH_ADDRESS) >>> 0;
const LARGE_BYTES = [0, 0, 2 ** 21, 2 ** 30, 0];
const ENTRIES = 1024;

/** Walks four-level page tables in guest memory, and caches translations. */
class Paging {
  readonly #memory: CpuMemory;
  // By linear 4 KiB page: the page's tag, its physical address, and whether it may be written.
  readonly #tags = new Float64Array(ENTRIES).fill(-1);
  readonly #bases = new Float64Array(ENTRIES);
  readonly #writable = new Uint8Array(ENTRIES);
  // The same for linear regions of 2 MiB that are mapped by a large page.
  readonly #largeTags = new Float64Array(ENTRIES).fill(-1);
  readonly #largeBases = new Float64Array(ENTRIES);
  readonly #largeWritable = new Uint8Array(ENTRIES);
  // Whether the last walk ended at a large page.
  #isLarge = false;

  /** Begins with an empty cache. */
  constructor(memory: CpuMemory) {
    this.#memory = memory;
  }

  /** Empties the cache. */
  flush(): void {
    this.#tags.fill(-1);
    this.#largeTags.fill(-1);
  }

  /**
   * Translates a linear address.
   *
   * @param linear The address; from 2^47 on it is not canonical, or in the upper half, and faults.
   * @param isWrite Whether the access is a store.
   * @param isUser Whether it is made at CPL 3.
   * @param root Physical address of the page-map level 4.
   * @returns The physical address, or a {@linkcode Translation}.
   */
  translate(linear: number, isWrite: boolean, isUser: boolean, root: number): number {
    const region = Math.floor(linear / REGION);
    const place = region & (ENTRIES - 1);
    if (this.#largeTags[place] === region && (!isWrite || this.#largeWritable[place] === 1)) {
      return this.#largeBases[place]! + (linear & (REGION - 1));
    }
    const page = Math.floor(linear / PAGE);
    const at = page & (ENTRIES - 1);
    if (this.#tags[at] !== page || (isWrite && this.#writable[at] === 0)) {
      const found = this.#walk(linear, isWrite, isUser, root);
      if (found < 0) return found;
      if (this.#isLarge) {
        this.#largeTags[place] = region;
        this.#largeBases[place] = found - (linear & (REGION - PAGE));
        this.#largeWritable[place] = isWrite ? 1 : 0;
        return found + (linear & (PAGE - 1));
      }
      this.#tags[at] = page;
      this.#bases[at] = found;
      this.#writable[at] = isWrite ? 1 : 0;
    }
    return this.#bases[at]! + (linear & (PAGE - 1));
  }

  // The physical address of the page that holds a linear address.
  #walk(linear: number, isWrite: boolean, isUser: boolean, root: number): number {
    if (linear >= 2 ** 47) return Translation.FAULT;
    let table = root;
    this.#isLarge = false;
    for (let level = 4; level > 0; level--) {
      const span = PAGE * 2 ** (9 * (level - 1));
      const index = Math.floor(linear / span) % 512;
      if (!this.#memory.load(table + index * 8, 8)) return Translation.LEAVE;
      const { low, high } = this.#memory;
      if ((low & PRESENT) === 0 || (high & RESERVED_HIGH) !== 0) return Translation.FAULT;
      if (isUser && (low & USER) === 0) return Translation.FAULT;
      if (isWrite && (low & WRITABLE) === 0) return Translation.FAULT;
      const address = ((low & LOW_ADDRESS) >>> 0) + (high & HIGH_ADDRESS) * 2 ** 32;
      const isLarge = (low & LARGE) !== 0;
      if (level === 1) return address;
      if (!isLarge) {
        table = address;
        continue;
      }
      if (level === 4) return Translation.FAULT;
      const bytes = LARGE_BYTES[level]!;
      // Bit 12 of a large page's entry belongs to its memory type.
      const base = Math.floor(address / (2 * PAGE)) * 2 * PAGE;
      if (base % bytes !== 0) return Translation.FAULT;
      this.#isLarge = true;
      return base + Math.floor((linear % bytes) / PAGE) * PAGE;
    }
    return Translation.FAULT;
  }
}

/** Guest physical memory, as the processor accesses it. */
export interface CpuMemory {
  /** Low 32 bits of the last load or fetch that answered true. */
  low: number;
  /** High 32 bits of the last load or fetch that answered true. */
  high: number;
  /**
   * Loads data, all in one page, little endian.
   *
   * @param address Guest physical address, exact.
   * @param size 1, 2, 4 or 8 bytes.
   * @returns Whether it was loaded; if not, the vCPU must leave the guest and run the instruction
   * again.
   */
  load(address: number, size: number): boolean;
  /**
   * Loads instruction bytes, all in one page.
   *
   * @param address Guest physical address, exact.
   * @param size 1 to 8 bytes.
   * @returns Whether they were loaded.
   */
  fetch(address: number, size: number): boolean;
  /**
   * Stores data, all in one page, little endian.
   *
   * @param address Guest physical address, exact.
   * @param size 1, 2, 4 or 8 bytes.
   * @param low Low 32 bits.
   * @param high High 32 bits.
   * @returns Whether it was stored; if not, the vCPU must leave the guest and run the instruction
   * again.
   */
  store(address: number, size: number, low: number, high: number): boolean;
}
