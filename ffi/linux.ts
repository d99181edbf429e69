// Linux's numbers for x86-64, under the names of its headers.

// <asm-generic/fcntl.h>
/** Open for reading. */
export const O_RDONLY = 0;
/** Open for reading and writing. */
export const O_RDWR = 2;
/** Do not make a terminal the controlling one of this process. */
export const O_NOCTTY = 0o400;
/** Do not block: a call that would wait answers EAGAIN. */
export const O_NONBLOCK = 0o4000;
/** Close on exec. */
export const O_CLOEXEC = 0o2000000;

// <linux/fs.h>
/** lseek(2) counts from the end. */
export const SEEK_END = 2;

// <asm-generic/mman-common.h>, <linux/mman.h>
/** Pages may be read. */
export const PROT_READ = 1;
/** Pages may be written. */
export const PROT_WRITE = 2;
/** Pages may be executed. */
export const PROT_EXEC = 4;
/** Share changes with the file. */
export const MAP_SHARED = 1;
/** Copy on write. */
export const MAP_PRIVATE = 2;
/** No file. */
export const MAP_ANONYMOUS = 0x20;
/** Do not reserve swap: guest memory is mapped lazily. */
export const MAP_NORESERVE = 0x4000;

// <asm-generic/mman-common.h>
/** Advice for madvise(2): back this memory with huge pages where possible. */
export const MADV_HUGEPAGE = 14;
/** Advice for madvise(2): never back this memory with huge pages. */
export const MADV_NOHUGEPAGE = 15;

/** Bytes of a page on an x86 host, and of a guest page in the dirty ring. */
export const PAGE_SIZE = 4096;

/** Bytes of glibc's `sigset_t`. */
export const SIGSET_BYTES = 128;

// <asm-generic/signal.h>
/** A signal for a program's own use. */
export const SIGUSR1 = 10;
/** The signal of setitimer(2). */
export const SIGALRM = 14;
/** A file would exceed the size that `ulimit -f` allows. */
export const SIGXFSZ = 25;
/** Signals for faults of the thread itself: SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV. */
export const SYNCHRONOUS_SIGNALS: readonly number[] = [4, 5, 7, 8, 11];

// Request numbers as <asm-generic/ioctl.h> builds them: 2 bits of direction, 14 of size, 8 of type
// and 8 of number. They are computed and never written out, so that a wrong struct size is noticed.

const NONE = 0;
const WRITE = 1;
const READ = 2;

function request(direction: number, type: number, number: number, size: number): number {
  if (size >= 1 << 14) throw new RangeError(`Cannot encode an ioctl argument of ${size} bytes`);
  return ((direction << 30) | (size << 16) | (type << 8) | number) >>> 0;
}

/**
 * `_IO`: a request without a struct.
 *
 * @param type The driver's type byte.
 * @param number The request's number in the driver.
 * @returns The request number.
 */
export function io(type: number, number: number): number {
  return request(NONE, type, number, 0);
}

/**
 * `_IOR`: the kernel writes a struct that user space reads.
 *
 * @param type The driver's type byte.
 * @param number The request's number in the driver.
 * @param size Bytes of the struct.
 * @returns The request number.
 */
export function ior(type: number, number: number, size: number): number {
  return request(READ, type, number, size);
}

/**
 * `_IOWR`: user space passes a struct that the kernel reads and writes.
 *
 * @param type The driver's type byte.
 * @param number The request's number in the driver.
 * @param size Bytes of the struct.
 * @returns The request number.
 */
export function iowr(type: number, number: number, size: number): number {
  return request(READ | WRITE, type, number, size);
}

/**
 * `_IOW`: user space passes a struct that the kernel reads.
 *
 * @param type The driver's type byte.
 * @param number The request's number in the driver.
 * @param size Bytes of the struct.
 * @returns The request number.
 */
export function iow(type: number, number: number, size: number): number {
  return request(WRITE, type, number, size);
}

/** Converts milliseconds to whole nanoseconds, the unit of all times in results. */
export function nanoseconds(ms: number): number {
  return Math.round(ms * 1e6);
}

/**
 * The time that has passed since a moment.
 *
 * @param started `performance.now()` of that moment, in milliseconds.
 * @returns Nanoseconds.
 */
export function nanosecondsSince(started: number): number {
  return nanoseconds(performance.now() - started);
}
