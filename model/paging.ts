import { PAGE_SIZE } from "../ffi/linux.ts";
import type { CpuMemory } from "./cpu_memory.ts";

/** What a translation came to, if not to a physical address. */
export const Translation = {
  /** The page tables do not allow it: a page fault for the guest. */
  FAULT: -1,
  /** The vCPU must leave the guest before the page tables can be read. */
  LEAVE: -2,
} as const;

const PRESENT = 1;
const WRITABLE = 2;
const USER = 4;
const LARGE = 0x80;
const PAGE = PAGE_SIZE; // as in fetcher.ts
const REGION = 2 ** 21;
const ADDRESS_BITS = 36; // what a vCPU has whose CPUID does not say
const LOW_ADDRESS = 0xffff_f000;
const HIGH_ADDRESS = 2 ** (ADDRESS_BITS - 32) - 1;
/** Bits of an entry's high word that are reserved: 36 to 51 (bit 63 is, without EFER.NX). */
const RESERVED_HIGH = (0x800f_ffff & ~HIGH_ADDRESS) >>> 0;
const LARGE_BYTES = [0, 0, 2 ** 21, 2 ** 30, 0];
const ENTRIES = 1024;

/** Four-level page tables, walked through guest memory, with what was found lately kept. */
export class Paging {
  readonly #memory: CpuMemory;
  // By linear 4 KiB page: the page's tag, its physical address, and whether it may be written.
  readonly #tags = new Float64Array(ENTRIES).fill(-1);
  readonly #bases = new Float64Array(ENTRIES);
  readonly #writable = new Uint8Array(ENTRIES);
  // The same by linear region of 2 MiB, for those that one large page maps.
  readonly #largeTags = new Float64Array(ENTRIES).fill(-1);
  readonly #largeBases = new Float64Array(ENTRIES);
  readonly #largeWritable = new Uint8Array(ENTRIES);
  // Whether the last walk ended at a large page.
  #isLarge = false;

  /**
   * Begins with nothing kept.
   *
   * @param memory Where the tables stand.
   */
  constructor(memory: CpuMemory) {
    this.#memory = memory;
  }

  /** Forgets all that was found. */
  flush(): void {
    this.#tags.fill(-1);
    this.#largeTags.fill(-1);
  }

  /**
   * Translates a linear address.
   *
   * @param linear The address, below 2^47: others are not canonical, or the kernel's half.
   * @param isWrite Whether it is written.
   * @param isUser Whether at CPL 3.
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
