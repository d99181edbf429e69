import type { Insight } from "./insight.ts";

/** How kernel calls are traced. It can be sent to another thread, or as JSON to a process. */
export interface TraceOrder {
  /** The file that lines are added to; `null` for standard error. */
  readonly file: string | null;
  /**
   * The moment that time stamps count from, in milliseconds since 1970; `null` for lines without
   * any.
   */
  readonly sinceMs: number | null;
}

/**
 * The system-call boundary. Every method answers as a system call does: a result of zero or more,
 * or minus an errno (`-22` is EINVAL). No method throws because a kernel refuses.
 *
 * All code that drives KVM is written against this interface, so that it runs on libc (`openLibc`,
 * ffi/libc.ts) and on the model (`openModel`, model/model_kernel.ts).
 *
 * Addresses are numbers: a user-space address on x86-64 has 47 bits and is exact in a JS number.
 */
export interface Kernel {
  /** What answers the calls: `"kvm"` is a real `/dev/kvm`. */
  readonly backend: "kvm" | "model";

  /** What the model offers beyond system calls; `null` on a real kernel. */
  readonly insight: Insight | null;

  /** How its calls are traced, for threads that open a kernel of their own. */
  readonly tracing?: TraceOrder | null;

  /**
   * open(2). No file is ever created, so there is no mode.
   *
   * @param path A path, without NUL bytes.
   * @param flags `O_*` bits of `ffi/linux.ts`.
   * @returns A file descriptor, or minus errno.
   */
  open(path: string, flags: number): number;

  /**
   * close(2).
   *
   * @returns 0, or minus errno.
   */
  close(fd: number): number;

  /**
   * read(2).
   *
   * @param into Where the bytes go; its length is the most that is read.
   * @returns Bytes read, 0 at the end of the file, or minus errno.
   */
  read(fd: number, into: Uint8Array<ArrayBuffer>): number;

  /**
   * pread(2).
   *
   * @param into Where the bytes go; its length is the most that is read.
   * @param offset Bytes from the file's beginning.
   * @returns Bytes read, 0 at the end of the file, or minus errno.
   */
  pread(fd: number, into: Uint8Array<ArrayBuffer>, offset: number): number;

  /**
   * lseek(2).
   *
   * @param offset Bytes, counted from `whence`.
   * @param whence The origin, such as `SEEK_END` of `ffi/linux.ts`.
   * @returns The position, or minus errno.
   */
  lseek(fd: number, offset: number, whence: number): number;

  /**
   * statx(2) with an absolute path, following symbolic links.
   *
   * @param into 256 bytes that receive a `struct statx`.
   * @returns 0, or minus errno.
   */
  statx(path: string, into: Uint8Array<ArrayBuffer>): number;

  /**
   * ioctl(2).
   *
   * @param request The request number, see {@linkcode import("./kvm_ioctls.ts").KVM_RUN} and its
   * neighbours.
   * @param argument A number (or a bigint above 2^53), or the bytes of a struct, which the kernel
   * may read and write during the call.
   * @returns The result, or minus errno.
   */
  ioctl(fd: number, request: number, argument: number | bigint | Uint8Array<ArrayBuffer>): number;

  /**
   * mmap(2), at an address of the kernel's choice.
   *
   * @param protection `PROT_*` bits.
   * @param flags `MAP_*` bits.
   * @param fd The file descriptor, or -1.
   * @param offset Bytes into the file.
   * @returns The address, or minus errno.
   */
  mmap(length: number, protection: number, flags: number, fd: number, offset: number): number;

  /**
   * munmap(2). No array from {@linkcode Kernel.view} over the range may be used afterwards:
   * touching one crashes the process.
   *
   * @param address The mapping's address.
   * @returns 0, or minus errno.
   */
  munmap(address: number, length: number): number;

  /**
   * madvise(2).
   *
   * @param address The first byte, a multiple of the page size, in a mapping.
   * @param advice A `MADV_*` number that leaves the memory's content as it is.
   * @returns 0, or minus errno: EINVAL for advice that this kernel does not know.
   */
  madvise(address: number, length: number, advice: number): number;

  /**
   * pthread_sigmask(3) with `SIG_SETMASK`, for the calling thread.
   *
   * @param set 128 bytes of `sigset_t` to install.
   * @param old 128 bytes that receive the previous set, or `null`.
   * @returns 0, or minus errno.
   */
  sigmask(set: Uint8Array<ArrayBuffer>, old: Uint8Array<ArrayBuffer> | null): number;

  /**
   * raise(3): sends a signal to the calling thread, which must have it blocked, as it has no
   * handler.
   *
   * @returns 0, or minus errno.
   */
  raise(signal: number): number;

  /**
   * gettid(2).
   *
   * @returns The calling thread's id.
   */
  gettid(): number;

  /**
   * tgkill(2): sends a signal to a thread of this process, which must have it blocked, as it has no
   * handler.
   *
   * @param tid The thread's id.
   * @param signal The signal; 0 sends none and only checks that the thread exists.
   * @returns 0, or minus errno: ESRCH if the thread no longer exists.
   */
  tgkill(tid: number, signal: number): number;

  /**
   * sigtimedwait(2) with a timeout of 0: takes a pending signal.
   *
   * @param set 128 bytes of `sigset_t`: the signals to take, all of them blocked.
   * @returns The signal taken, or minus errno: EAGAIN if none is pending.
   */
  sigtimedwait(set: Uint8Array<ArrayBuffer>): number;

  /**
   * setitimer(2) with `ITIMER_REAL`, one shot: SIGALRM interrupts the main thread, in whatever call
   * that is then. Its handler does nothing.
   *
   * @param microseconds The delay, below a second; 0 disarms the timer and removes the handler.
   * @returns 0, or minus errno.
   */
  setitimer(microseconds: number): number;

  /**
   * timer_create(2) with `CLOCK_MONOTONIC` and `SIGEV_THREAD_ID`, and timer_settime(2): starts a
   * timer that sends a signal to the calling thread periodically. The thread must have it blocked,
   * as it has no handler.
   *
   * @param microseconds The period.
   * @returns The timer, or minus errno: ENOSYS from a kernel without such timers, EAGAIN if there
   * are too many.
   */
  startTimer(signal: number, microseconds: number): number;

  /**
   * timer_delete(2). A signal that the timer has sent may still be pending.
   *
   * @param timer A timer from {@linkcode Kernel.startTimer}.
   * @returns 0, or minus errno.
   */
  deleteTimer(timer: number): number;

  /**
   * ioctl(2) without an argument, made by another process that has inherited the file.
   *
   * @returns 0 for any result, or minus errno.
   * @throws {HostError} If no other process may be started.
   * @throws {NoAnswerError} If it ended without an answer.
   */
  ioctlElsewhere(fd: number, request: number): number;

  /**
   * Lets another process, which has inherited the file, map one of its pages with mmap(2), shared,
   * for reading and writing, and store to the first byte.
   *
   * @param page The page of the file, from 0.
   * @param byte The value to store.
   * @returns 0, or minus errno.
   * @throws {HostError} If no other process may be started.
   * @throws {NoAnswerError} If it ended without an answer.
   */
  storeElsewhere(fd: number, page: number, byte: number): number;

  /**
   * perf_event_open(2).
   *
   * @param attr A `struct perf_event_attr`, at least as long as its own `size` says.
   * @param tid The thread to watch, on any processor; 0 is the calling one.
   * @returns A file descriptor, closed on exec, or minus errno.
   */
  perfEventOpen(attr: Uint8Array<ArrayBuffer>, tid: number): number;

  /**
   * The memory of a mapping, or of a part of it, without a copy. It is valid until the mapping is
   * unmapped.
   *
   * @param address An address in the mapping, a multiple of 8.
   * @returns The memory. It may be a part of its `buffer`: mind `byteOffset`.
   */
  view(address: number, length: number): Uint8Array<ArrayBuffer>;
}
