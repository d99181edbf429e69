import { ERRNO } from "../ffi/errno.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";

/** Memory that can be mapped: what stands behind a range of addresses. */
export interface Backing {
  /**
   * The memory at an offset, as far as it reaches in one piece.
   *
   * @param offset Bytes from the beginning of the mapping.
   * @returns The memory from there on, or `null` where touching it would be SIGBUS.
   */
  at(offset: number): Uint8Array<ArrayBuffer> | null;
}

interface Region {
  readonly address: number;
  readonly length: number;
  readonly backing: Backing;
  /** Where the region begins in its backing. */
  readonly offset: number;
}

/** Where the first mapping goes; each leaves a page free behind it, so that no two of them touch. */
const FIRST_ADDRESS = 0x7000_0000_0000;
/** The end of user space on x86-64: TASK_SIZE_MAX. */
const TASK_SIZE = 2 ** 47 - PAGE_SIZE;
/** From here on memory is reserved first: a plain array of this size would count as taken at once. */
const PLAIN_BYTES = 2 ** 30;

/** A process's address space: what is mapped where. Nothing here is memory of the real process. */
export class AddressSpace {
  readonly #regions: Region[] = [];
  #next = FIRST_ADDRESS;

  /**
   * Maps something at an address that is free.
   *
   * @param length Bytes, above 0.
   * @param backing What stands there.
   * @returns The address, or -ENOMEM.
   */
  map(length: number, backing: Backing): number {
    const pages = Math.ceil(length / PAGE_SIZE);
    const address = this.#next;
    const next = address + (pages + 1) * PAGE_SIZE;
    if (next > TASK_SIZE) return -ERRNO.ENOMEM;
    this.#next = next;
    this.#regions.push({ address, length: pages * PAGE_SIZE, backing, offset: 0 });
    return address;
  }

  /**
   * Maps memory of the program's own that reads as zero.
   *
   * @param length Bytes, above 0.
   * @returns The address, or -ENOMEM.
   */
  mapAnonymous(length: number): number {
    const bytes = zeroes(Math.ceil(length / PAGE_SIZE) * PAGE_SIZE);
    if (bytes === null) return -ERRNO.ENOMEM;
    return this.map(length, { at: (offset) => bytes.subarray(offset) });
  }

  /**
   * Unmaps a range: whole mappings, or parts of them.
   *
   * @param address Where it begins, a multiple of the page size.
   * @param length Bytes.
   * @returns 0, or -EINVAL.
   */
  unmap(address: number, length: number): number {
    if (address % PAGE_SIZE !== 0 || length <= 0) return -ERRNO.EINVAL;
    const end = address + Math.ceil(length / PAGE_SIZE) * PAGE_SIZE;
    for (let n = this.#regions.length - 1; n >= 0; n--) {
      const region = this.#regions[n]!;
      const regionEnd = region.address + region.length;
      if (regionEnd <= address || region.address >= end) continue;
      this.#regions.splice(
        n,
        1,
        ...part(region, region.address, address),
        ...part(region, end, regionEnd),
      );
    }
    return 0;
  }

  /**
   * The memory at an address, as far as it reaches in one piece.
   *
   * @param address The address.
   * @returns The memory from there on, or `null` where touching it would be a fault.
   */
  at(address: number): Uint8Array<ArrayBuffer> | null {
    const region = this.#regions.find((one) =>
      address >= one.address && address < one.address + one.length
    );
    if (region === undefined) return null;
    const from = address - region.address;
    return region.backing.at(region.offset + from)?.subarray(0, region.length - from) ?? null;
  }

  /**
   * Some bytes at an address, as the kernel copies them from and to a program.
   *
   * @param address The address.
   * @param length Bytes.
   * @returns The memory, or `null` where the kernel would answer EFAULT.
   */
  bytes(address: number, length: number): Uint8Array<ArrayBuffer> | null {
    const found = this.at(address);
    return found === null || found.length < length ? null : found.subarray(0, length);
  }
}

// What is left of a region between two addresses: nothing where they lie outside it or are reversed.
function part(region: Region, from: number, to: number): Region[] {
  if (to <= from || from < region.address || to > region.address + region.length) return [];
  return [{
    ...region,
    address: from,
    length: to - from,
    offset: region.offset + from - region.address,
  }];
}

// Memory that the host populates only where it is touched, as a mapping with MAP_NORESERVE is.
function zeroes(length: number): Uint8Array<ArrayBuffer> | null {
  try {
    if (length < PLAIN_BYTES) return new Uint8Array(length);
    const buffer = new ArrayBuffer(0, { maxByteLength: length });
    buffer.resize(length);
    return new Uint8Array(buffer, 0, length);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
