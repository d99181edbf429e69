import { PAGE_SIZE } from "../ffi/linux.ts";
import { decode, type Instruction, Kind, MAX_LENGTH } from "./decode.ts";
import type { CpuMemory } from "./linear_memory.ts";

// A local copy: the JIT folds a constant of this module, but loads an imported one each time.
const PAGE = PAGE_SIZE;
const ENTRIES = 1024;
const NOP = 0x90;

interface Kept {
  readonly address: number;
  readonly isLong: boolean;
  readonly instruction: Instruction;
  readonly bytes: Uint8Array;
  /** The run in which its bytes were last compared with memory. */
  seenIn: number;
}

/**
 * Fetches and decodes instructions, and caches them. A cached instruction is compared with memory
 * once a run, and again after a store to a page that holds code: the program or the guest may have
 * changed it.
 */
export class Fetcher {
  readonly #memory: CpuMemory;
  readonly #kept: (Kept | undefined)[] = new Array(ENTRIES).fill(undefined);
  readonly #pages = new Set<number>();
  #run = 0;

  /** Begins with an empty cache. */
  constructor(memory: CpuMemory) {
    this.#memory = memory;
  }

  /** Begins a run: memory may have changed since the last. */
  begin(): void {
    this.#run++;
  }

  /** Notes a store to a guest physical address: it may have changed code. */
  noteStore(address: number): void {
    if (this.#pages.has(Math.floor(address / PAGE))) this.#run++;
  }

  /**
   * The cached instruction at a physical address.
   *
   * @param isLong Whether the processor is in 64-bit mode.
   * @returns The instruction, or `undefined` if none is cached or memory may have changed since.
   */
  kept(address: number, isLong: boolean): Instruction | undefined {
    const kept = this.#kept[address & (ENTRIES - 1)];
    return kept !== undefined && kept.address === address && kept.seenIn === this.#run &&
        kept.isLong === isLong
      ? kept.instruction
      : undefined;
  }

  /**
   * Reads the instruction at a physical address from memory.
   *
   * @param isLong Whether the processor is in 64-bit mode.
   * @param translate The physical address of the byte at an offset from `address`; `null` where
   * there is none. Called for bytes beyond the first page.
   * @returns The instruction; `"unknown"` if it is not implemented; `"memory"` if its bytes cannot
   * be read, or the vCPU has to leave the guest before they can.
   */
  fetch(
    address: number,
    isLong: boolean,
    translate: (offset: number) => number | null,
  ): Instruction | "unknown" | "memory" {
    const kept = this.#kept[address & (ENTRIES - 1)];
    if (kept !== undefined && kept.address === address && kept.isLong === isLong) {
      const bytes = this.#read(address, kept.bytes.length, translate);
      if (bytes === null) return "memory";
      if (bytes.every((byte, n) => byte === kept.bytes[n])) {
        kept.seenIn = this.#run;
        return kept.instruction;
      }
    }
    return this.#decode(address, isLong, translate);
  }

  #decode(
    address: number,
    isLong: boolean,
    translate: (offset: number) => number | null,
  ): Instruction | "unknown" | "memory" {
    // Byte by byte: what follows the instruction must not be touched, it may be unmapped.
    for (let length = 1; length <= MAX_LENGTH; length++) {
      const bytes = this.#read(address, length, translate);
      if (bytes === null) return "memory";
      const instruction = decode(bytes, isLong);
      if (instruction === "short") continue;
      if (instruction === null) return "unknown";
      if (instruction.kind === Kind.NOP && length === 1) {
        return this.#keepNops(address, isLong, instruction);
      }
      return this.#keep(address, isLong, instruction, bytes);
    }
    return "unknown";
  }

  // A run of NOPs is cached as one instruction; `op` is their number. Two thirds of the
  // instructions of the real-mode guest are NOPs.
  #keepNops(address: number, isLong: boolean, nop: Instruction): Instruction | "memory" {
    const inPage = PAGE - (address & (PAGE - 1));
    let count = 1;
    for (; count < inPage; count++) {
      if (!this.#memory.fetch(address + count, 1)) return "memory";
      if (this.#memory.low !== NOP) break;
    }
    return this.#keep(address, isLong, { ...nop, op: count }, new Uint8Array(count).fill(NOP));
  }

  #keep(
    address: number,
    isLong: boolean,
    instruction: Instruction,
    bytes: Uint8Array,
  ): Instruction {
    const seenIn = this.#run;
    this.#kept[address & (ENTRIES - 1)] = { address, isLong, instruction, bytes, seenIn };
    this.#pages.add(Math.floor(address / PAGE));
    this.#pages.add(Math.floor((address + bytes.length - 1) / PAGE));
    return instruction;
  }

  #read(
    address: number,
    length: number,
    translate: (offset: number) => number | null,
  ): Uint8Array | null {
    const bytes = new Uint8Array(length);
    const inPage = PAGE - (address & (PAGE - 1));
    for (let n = 0; n < length; n++) {
      const at = n < inPage ? address + n : translate(n);
      if (at === null || !this.#memory.fetch(at, 1)) return null;
      bytes[n] = this.#memory.low;
    }
    return bytes;
  }
}
