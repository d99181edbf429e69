import type { Kernel } from "../ffi/kernel.ts";
import { checked } from "../ffi/kernel_error.ts";

/** What the three kinds of KVM file descriptor have in common. */
export abstract class KvmFd implements Disposable {
  /** The kernel that answers. */
  readonly kernel: Kernel;
  /** The file descriptor; -1 once closed. */
  #fd: number;

  /**
   * Takes a file descriptor over.
   *
   * @param kernel The kernel that answers.
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
   * An ioctl, raw: the answer is zero or more, or minus an errno.
   *
   * @param request The request number.
   * @param argument A number, or the bytes of the request's struct.
   * @returns What the kernel answered.
   */
  ioctl(request: number, argument: number | Uint8Array<ArrayBuffer> = 0): number {
    return this.kernel.ioctl(this.#fd, request, argument);
  }

  /** Closes the file descriptor. Closing twice does nothing. */
  [Symbol.dispose](): void {
    const fd = this.#fd;
    if (fd === -1) return;
    this.#fd = -1;
    checked(this.kernel.close(fd), `close(${fd})`);
  }
}
