// A /dev/kmsg with the content that a test gives it. The model has none of its own.
import { ERRNO } from "../../ffi/errors.ts";
import type { Kernel } from "../../ffi/kernel.ts";

const FD = 7777;

/** The answer of one read: a record with this text, the raw bytes of `raw`, or minus an errno. */
export type LogRead = string | number | { readonly raw: string };

/** A log that a test writes to. */
export interface FakeLog {
  /** The kernel with this log. */
  readonly kernel: Kernel;
  /**
   * Appends answers of reads; once none is left, a read answers `lastRead` of {@linkcode withLog}.
   */
  write(...reads: LogRead[]): void;
  /** How many times it is open. */
  readonly opened: () => number;
}

/**
 * Adds a log to a kernel. It is empty at first.
 *
 * @param options `atEnd` is the answer of lseek(2), `lastRead` the answer of a read of the empty
 * log.
 */
export function withLog(kernel: Kernel, { atEnd = 0, lastRead = -ERRNO.EAGAIN } = {}): FakeLog {
  const reads: LogRead[] = [];
  let sequence = 100;
  let opened = 0;
  const answer = (into: Uint8Array<ArrayBuffer>): number => {
    const next = reads.shift();
    if (next === undefined) return lastRead;
    if (typeof next === "number") return next;
    const record = typeof next === "string" ? `4,${sequence++},1234,-;${next}\n` : next.raw;
    return new TextEncoder().encodeInto(record, into).written;
  };
  return {
    kernel: {
      ...kernel,
      open: (path, flags) => path === "/dev/kmsg" ? (opened++, FD) : kernel.open(path, flags),
      lseek: (fd, offset, whence) => fd === FD ? atEnd : kernel.lseek(fd, offset, whence),
      read: (fd, into) => fd === FD ? answer(into) : kernel.read(fd, into),
      close: (fd) => fd === FD ? (opened--, 0) : kernel.close(fd),
    },
    write: (...more) => void reads.push(...more),
    opened: () => opened,
  };
}
