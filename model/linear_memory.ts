import { PAGE_SIZE } from "../ffi/linux.ts";
import type { CpuMemory } from "./cpu_memory.ts";
import { Segment } from "./decode.ts";
import { Paging, Translation } from "./paging.ts";
import type { Registers } from "./registers.ts";

const PAGE = PAGE_SIZE; // as in fetcher.ts
// Bits of an address within its page: `&` is exact below 2^53 and, unlike `%`, fast on large numbers.
const IN_PAGE = PAGE - 1;

/** Memory as instructions reach it: by segment and offset, through segmentation and page tables. */
export class LinearMemory {
  readonly #memory: CpuMemory;
  readonly #registers: Registers;
  readonly #paging: Paging;
  // The page of code that is being executed, and where it lies.
  #codePage = -1;
  #codeBase = 0;
  /** Low word of the last load. */
  low = 0;
  /** High word of it. */
  high = 0;
  /** Physical address of the last store; of its last byte, where it crossed a page. */
  stored = 0;
  /** Physical address of its first byte. */
  storedFrom = 0;
  /** Whether what answered false was an exception; otherwise the vCPU must leave the guest. */
  isShutdown = false;

  /**
   * Begins with no translation kept.
   *
   * @param memory Guest physical memory.
   * @param registers The processor's registers.
   */
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
   * The physical address of an instruction; that of its page is kept.
   *
   * @param rip Its offset in the code segment.
   * @returns The address; below 0 where there is none.
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
   * @param offset Its offset in the segment.
   * @param size 1, 2, 4 or 8 bytes.
   * @param segment The segment's number in instructions.
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
   * @param offset Its offset in the segment.
   * @param size 1, 2, 4 or 8 bytes.
   * @param segment The segment's number in instructions.
   * @param low Low word.
   * @param high High word.
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
   * Stores where the last load read. What a refused store left in the first of two pages is taken back:
   * the instruction will load it again.
   *
   * @param offset Its offset in the segment.
   * @param size 1, 2, 4 or 8 bytes.
   * @param segment The segment's number in instructions.
   * @param low Low word.
   * @param high High word.
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

  // The physical address of an access; below 0 where there is none.
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

  // Pages are those of linear addresses: a segment may begin anywhere.
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

  // Answers the bytes that were stored.
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
