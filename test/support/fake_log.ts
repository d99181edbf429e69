// A /dev/kmsg that answers what a test wrote: the model has none of its own.
import { ERRNO } from "../../ffi/errors.ts";
import type { Kernel } from "../../ffi/kernel.ts";

const FD = 7777;

/** What its reads answer, in order: a record's text, whole records of `raw`, or minus an errno. */
export type LogRead = string | number | { readonly raw: string };

/** A log that a test writes to. */
export interface FakeLog {
  /** The kernel with it. */
  readonly kernel: Kernel;
  /** Appends to what will be read; where nothing is left a read answers EAGAIN. */
  write(...reads: LogRead[]): void;
  /** How often it was opened and not closed again. */
  readonly opened: () => number;
}

/** A kernel with a log, which holds `before` when it is opened. */
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
