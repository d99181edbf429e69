// Mappings of memory, a vCPU's dirty ring among them, and the base class of KVM's file descriptors.
import { checked } from "../ffi/errors.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { KVM_DIRTY_LOG_PAGE_OFFSET } from "../ffi/kvm_constants.ts";
import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";
import {
  MAP_ANONYMOUS,
  MAP_NORESERVE,
  MAP_PRIVATE,
  MAP_SHARED,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
} from "../ffi/linux.ts";

/**
 * A mapping and its memory. A typed array over {@linkcode Mapping.bytes} must not be touched after
 * the mapping is disposed: the memory is gone and the process would crash.
 */
export class Mapping implements Disposable {
  readonly #kernel: Kernel;
  #bytes: Uint8Array<ArrayBuffer> | null;
  /** Its address in this process. */
  readonly address: number;
  /** Its length in bytes. */
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
   * @param length Bytes, a multiple of the page size.
   * @param what What the memory is for, for an error.
   * @throws {KernelError} If the kernel refuses: ENOMEM, for example.
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
   * @param offset Bytes from the beginning of the file.
   * @param length Bytes.
   * @param what What is mapped, for an error.
   * @throws {KernelError} If the kernel refuses.
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

  /**
   * The memory.
   *
   * @throws {TypeError} If the mapping is disposed.
   */
  get bytes(): Uint8Array<ArrayBuffer> {
    if (this.#bytes === null) throw new TypeError("Cannot use a mapping that is unmapped");
    return this.#bytes;
  }

  /**
   * The memory as 32-bit words.
   *
   * @throws {TypeError} If the mapping is disposed.
   */
  get words(): Uint32Array<ArrayBuffer> {
    const { buffer, byteOffset, length } = this.bytes;
    return new Uint32Array(buffer, byteOffset, length / 4);
  }

  /** Unmaps the memory. A second call does nothing. */
  [Symbol.dispose](): void {
    if (this.#bytes === null) return;
    this.#bytes = null;
    checked(this.#kernel.munmap(this.address, this.length), `munmap(${this.length} bytes)`);
  }
}

/**
 * A vCPU's dirty ring, mapped shared: KVM pushes entries into it and this program marks them
 * (api.rst, "KVM_CAP_DIRTY_LOG_RING"). KVM's own indices are not in the mapping.
 */
export class DirtyRing implements Disposable {
  readonly #mapping: Mapping;
  /** Its size in entries of 16 bytes. */
  readonly entries: number;
  /**
   * Its memory as 32-bit words, four for each entry: flags, slot, low and high word of the offset.
   * It must not be touched after the ring is disposed.
   */
  readonly words: Uint32Array<ArrayBuffer>;

  /**
   * Maps a ring.
   *
   * @param vcpuFd The vCPU's file descriptor; the ring begins at its page 64.
   * @param bytes The size with which rings were enabled.
   * @param what Whose ring it is, for an error.
   * @throws {KernelError} If the kernel refuses.
   */
  constructor(kernel: Kernel, vcpuFd: number, bytes: number, what: string) {
    const offset = KVM_DIRTY_LOG_PAGE_OFFSET * PAGE_SIZE;
    this.#mapping = Mapping.shared(kernel, vcpuFd, offset, bytes, what);
    this.entries = bytes / kvm_dirty_gfn.size;
    this.words = this.#mapping.words;
  }

  /** Its address and length in this process, for a thread that harvests it. */
  get place(): { readonly address: number; readonly bytes: number } {
    return { address: this.#mapping.address, bytes: this.#mapping.length };
  }

  /** Unmaps the ring. */
  [Symbol.dispose](): void {
    this.#mapping[Symbol.dispose]();
  }
}

/** The base of the three kinds of KVM file descriptors. */
export abstract class KvmFd implements Disposable {
  /** The kernel that answers. */
  readonly kernel: Kernel;
  /** The file descriptor; -1 once closed. */
  #fd: number;

  /**
   * Takes over a file descriptor.
   *
   * @param fd An open file descriptor, owned by this object from now on.
   */
  constructor(kernel: Kernel, fd: number) {
    this.kernel = kernel;
    this.#fd = fd;
  }

  /** The file descriptor; -1 once closed, so that every later call answers EBADF. */
  get fd(): number {
    return this.#fd;
  }

  /**
   * Makes an ioctl and does not check the answer.
   *
   * @param argument A number, or the bytes of the request's struct.
   * @returns The kernel's answer: zero or more, or minus an errno.
   */
  ioctl(request: number, argument: number | Uint8Array<ArrayBuffer> = 0): number {
    return this.kernel.ioctl(this.#fd, request, argument);
  }

  /** Closes the file descriptor. A second call does nothing. */
  [Symbol.dispose](): void {
    const fd = this.#fd;
    if (fd === -1) return;
    this.#fd = -1;
    checked(this.kernel.close(fd), `close(${fd})`);
  }
}
