import type { Kernel } from "../ffi/kernel.ts";
import { KVM_DIRTY_LOG_PAGE_OFFSET } from "../ffi/kvm_constants.ts";
import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import { Mapping } from "./mapping.ts";

/**
 * A vCPU's dirty ring, mapped shared: KVM pushes entries into it and this program marks them
 * (api.rst, "KVM_CAP_DIRTY_LOG_RING"). KVM's own indices are not in the mapping.
 */
export class DirtyRing implements Disposable {
  readonly #mapping: Mapping;
  /** Its size in entries of 16 bytes. */
  readonly entries: number;
  /**
   * Its memory in words of 32 bits, four an entry: flags, slot, low and high word of the offset. Not
   * to be touched once the ring is disposed.
   */
  readonly words: Uint32Array<ArrayBuffer>;

  /**
   * Maps a ring.
   *
   * @param kernel The kernel that answers.
   * @param vcpuFd The vCPU's file descriptor; the ring begins at page 64 of it.
   * @param bytes The ring's size, as it was enabled.
   * @param what Whose ring it is, for the error.
   * @throws {KernelError} Where the kernel refuses.
   */
  constructor(kernel: Kernel, vcpuFd: number, bytes: number, what: string) {
    const offset = KVM_DIRTY_LOG_PAGE_OFFSET * PAGE_SIZE;
    this.#mapping = Mapping.shared(kernel, vcpuFd, offset, bytes, what);
    this.entries = bytes / kvm_dirty_gfn.size;
    this.words = this.#mapping.words;
  }

  /** Where it lies in this process, for a thread that harvests it. */
  get place(): { readonly address: number; readonly bytes: number } {
    return { address: this.#mapping.address, bytes: this.#mapping.length };
  }

  /** Unmaps the ring. */
  [Symbol.dispose](): void {
    this.#mapping[Symbol.dispose]();
  }
}
