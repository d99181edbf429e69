import type { Insight } from "./insight.ts";

/**
 * A system-call boundary. Every method answers as a system call does: a result of zero or more, or
 * minus an errno (`-22` is EINVAL). Nothing here throws for what a kernel refuses.
 *
 * All that drives KVM (`kvm/`, `lab/`, `commands/`) is written against this interface, so that libc
 * ({@linkcode openLibc}) is one of several things that can stand behind it.
 *
 * Addresses are numbers: a user-space address on x86-64 has 47 bits and is exact in a JS number.
 */
export interface Kernel {
  /** What answers: `"kvm"` is a real `/dev/kvm`. */
  readonly backend: "kvm" | "model";

  /** What a kernel in memory tells beyond its system calls; `null` on a real one, which hides it. */
  readonly insight: Insight | null;

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
   * @param whence Where they are counted from: `SEEK_END` of `ffi/linux.ts`, for one.
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
   * munmap(2). Every array from {@linkcode Kernel.view} over the range is dead afterwards: touching
   * one is a crash.
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
   * @returns 0, or minus errno: EINVAL for advice that this kernel does not take.
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
   * raise(3): sends a signal to the calling thread. The signal shall be blocked: nothing here handles it.
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
   * tgkill(2): sends a signal to a thread of this process, which has it blocked: nothing here handles it.
   *
   * @param tid The thread's id.
   * @param signal Its number; 0 sends none and asks whether the thread exists.
   * @returns 0, or minus errno: ESRCH where there is no such thread any more.
   */
  tgkill(tid: number, signal: number): number;

  /**
   * sigtimedwait(2) that does not wait: takes a pending signal.
   *
   * @param set 128 bytes of `sigset_t`: the signals to take, all of them blocked.
   * @returns The signal taken, or minus errno: EAGAIN where none is pending.
   */
  sigtimedwait(set: Uint8Array<ArrayBuffer>): number;

  /**
   * setitimer(2) with `ITIMER_REAL`, once: SIGALRM comes to the main thread after a while, within
   * whatever call it then makes. Its handler does nothing.
   *
   * @param microseconds The while, below a second; 0 takes the timer back, and the handler.
   * @returns 0, or minus errno.
   */
  setitimer(microseconds: number): number;

  /**
   * timer_create(2) with `CLOCK_MONOTONIC` and `SIGEV_THREAD_ID`, and timer_settime(2): from now on a signal comes to
   * the calling thread again and again. The thread shall have it blocked: nothing here handles it.
   *
   * @param microseconds The while between two.
   * @returns The timer, or minus errno: ENOSYS from a kernel without such timers, EAGAIN where there are too many.
   */
  startTimer(signal: number, microseconds: number): number;

  /**
   * timer_delete(2). A signal that the timer has sent may still be pending.
   *
   * @param timer What {@linkcode Kernel.startTimer} answered.
   * @returns 0, or minus errno.
   */
  deleteTimer(timer: number): number;

  /**
   * ioctl(2) without an argument, made by another process that holds the same file.
   *
   * @returns 0 for any result, or minus errno.
   * @throws {HostError} Where no other process may be started.
   * @throws {NoAnswerError} Where it ended without an answer.
   */
  ioctlElsewhere(fd: number, request: number): number;

  /**
   * mmap(2) of a page for reading and writing, shared, made by another process that holds the same file, and a
   * store to the first byte of it.
   *
   * @param page The page of the file.
   * @param byte What is stored.
   * @returns 0, or minus errno.
   * @throws {HostError} Where no other process may be started.
   * @throws {NoAnswerError} Where it ended without an answer.
   */
  storeElsewhere(fd: number, page: number, byte: number): number;

  /**
   * perf_event_open(2).
   *
   * @param attr A `struct perf_event_attr`, as long as its own `size` says.
   * @param tid The thread that is watched, on whatever processor it runs; 0 is the calling one.
   * @returns A file descriptor, closed on exec, or minus errno.
   */
  perfEventOpen(attr: Uint8Array<ArrayBuffer>, tid: number): number;

  /**
   * The memory of a mapping, or of a part of it: no copy. It is valid until the mapping is unmapped.
   *
   * @param address An address in the mapping, a multiple of 8.
   * @returns The memory. It may be a part of its `buffer`: mind `byteOffset`.
   */
  view(address: number, length: number): Uint8Array<ArrayBuffer>;
}
