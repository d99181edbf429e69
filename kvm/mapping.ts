import type { Kernel } from "../ffi/kernel.ts";
import { checked } from "../ffi/kernel_error.ts";
import {
  MAP_ANONYMOUS,
  MAP_NORESERVE,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_READ,
  PROT_WRITE,
} from "../ffi/linux.ts";

/**
 * A mapping and its memory. Whoever takes a typed array over {@linkcode Mapping.bytes} must
 * not touch it after the mapping is disposed: the memory is gone and the process would crash.
 */
export class Mapping implements Disposable {
  readonly #kernel: Kernel;
  #bytes: Uint8Array<ArrayBuffer> | null;
  /** Where it lies in this process. */
  readonly address: number;
  /** Its bytes. */
  readonly length: number;

  private constructor(kernel: Kernel, address: number, length: number) {
    this.#kernel = kernel;
    this.address = address;
    this.length = length;
    this.#bytes = kernel.view(address, length);
  }

  /**
   * Maps private, lazily populated memory that reads as zero: guest memory.
   *
   * @param kernel The kernel that answers.
   * @param length Bytes, a multiple of the page size.
   * @param what What the memory is for, for the error.
   * @returns The mapping.
   * @throws {KernelError} Where the kernel refuses, ENOMEM for one.
   */
  static anonymous(kernel: Kernel, length: number, what: string): Mapping {
    const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    const address = checked(
      kernel.mmap(length, PROT_READ | PROT_WRITE, flags, -1, 0),
      `mmap(${length} bytes of ${what})`,
      (name) =>
        `ask for less with ${name("memory")} or ${name("pages")}, or raise the limit (ulimit -v)`,
    );
    return new Mapping(kernel, address, length);
  }

  /**
   * Maps a part of a file descriptor's memory, shared with the kernel.
   *
   * @param kernel The kernel that answers.
   * @param fd The file descriptor.
   * @param offset Bytes from its beginning.
   * @param length Bytes.
   * @param what What is mapped, for the error.
   * @returns The mapping.
   * @throws {KernelError} Where the kernel refuses.
   */
  static shared(
    kernel: Kernel,
    fd: number,
    offset: number,
    length: number,
    what: string,
  ): Mapping {
    const address = checked(
      kernel.mmap(length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset),
      `mmap(${length} bytes of ${what})`,
    );
    return new Mapping(kernel, address, length);
  }

  /** The memory. Throws once the mapping is disposed. */
  get bytes(): Uint8Array<ArrayBuffer> {
    if (this.#bytes === null) throw new TypeError("Cannot use a mapping that is unmapped");
    return this.#bytes;
  }

  /** The memory as words of 32 bits. Throws once the mapping is disposed. */
  get words(): Uint32Array<ArrayBuffer> {
    const { buffer, byteOffset, length } = this.bytes;
    return new Uint32Array(buffer, byteOffset, length / 4);
  }

  /** Unmaps the memory. Doing so twice does nothing. */
  [Symbol.dispose](): void {
    if (this.#bytes === null) return;
    this.#bytes = null;
    checked(this.#kernel.munmap(this.address, this.length), `munmap(${this.length} bytes)`);
  }
}
