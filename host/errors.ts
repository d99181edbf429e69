// The errors that are not a kernel's, what file errors mean, and the exit statuses.
import {
  ERRNO,
  errnoText,
  KernelError,
  type Limit,
  WordedError,
  type Wording,
} from "../ffi/errors.ts";

/**
 * The command line, a file, or a value in one of them is wrong, whatever the kernel. The message
 * names the value, says what was expected and, if possible, what to do.
 */
export class UsageError extends WordedError {
  /** Creates an error that says what is wrong. */
  constructor(wording: string | Wording) {
    super(wording);
    this.name = "UsageError";
  }
}

/** A value that is not possible: by itself, or in combination with another one. */
export class ValueError extends UsageError {
  /** The values that were asked for, by name: `{ gap: 300 }`. Sizes are in bytes. */
  readonly asked: Readonly<Record<string, number | string>>;
  /**
   * The range of the first of them that would have been accepted; `null` if no range describes it.
   */
  readonly limit: Limit | null;

  /**
   * Creates an error that says which values are not possible.
   *
   * @param asked The values that were asked for, by name; sizes are in bytes.
   * @param limit The range of the first value that would have been accepted.
   */
  constructor(
    asked: Readonly<Record<string, number | string>>,
    wording: Wording,
    limit: Limit | null = null,
  ) {
    super(wording);
    this.name = "ValueError";
    this.asked = asked;
    this.limit = limit;
  }
}

/**
 * A value that is possible, but not here: it exceeds a limit that this kernel reports, or the memory
 * of this host. Where a call fails because of a value it is a {@linkcode KernelError}.
 */
export class LimitError extends WordedError {
  /** The values that were asked for, by name: `{ vcpus: 5000 }`. Sizes are in bytes. */
  readonly asked: Readonly<Record<string, number | string>>;
  /** The range of the first of them that this kernel takes; `null` if no range describes it. */
  readonly limit: Limit | null;

  /**
   * Creates an error that says which values this kernel does not take.
   *
   * @param asked The values that were asked for, by name; sizes are in bytes.
   * @param limit The range of the first value that this kernel takes.
   */
  constructor(
    asked: Readonly<Record<string, number | string>>,
    wording: Wording,
    limit: Limit | null = null,
  ) {
    super(wording);
    this.name = "LimitError";
    this.asked = asked;
    this.limit = limit;
  }
}

/** The guest stopped in a way that its program never causes: a defect of the guest, or of KVM. */
export class GuestError extends WordedError {
  /**
   * Creates an error that says how the guest stopped.
   *
   * @param wording One line: which vCPU, which exit, where.
   */
  constructor(wording: string | Wording) {
    super(wording);
    this.name = "GuestError";
  }
}

/** Errnos for which neither the file nor the command line is to blame. */
const NO_ROOM: ReadonlySet<number> = new Set([
  ERRNO.EMFILE,
  ERRNO.ENFILE,
  ERRNO.ENOMEM,
  ERRNO.ENOSPC,
  ERRNO.EDQUOT,
  ERRNO.EFBIG,
]);

/**
 * The errno of a failed call of Deno's file functions, which give it only in their message:
 * `No space left on device (os error 28): ...`.
 *
 * @example
 * ```ts
 * import { fileErrno } from "./errors.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(fileErrno(new Error("No space left on device (os error 28)")), 28);
 * ```
 *
 * @returns The errno, positive; `null` if the error comes from no system call.
 */
export function fileErrno(error: unknown): number | null {
  const found = error instanceof Error ? /\(os error (\d+)\)/.exec(error.message) : null;
  return found === null ? null : Number(found[1]);
}

/**
 * Why a file could not be used; the error may be Deno's or a {@linkcode KernelError}.
 *
 * @returns The errno with its meaning, or Deno's message.
 */
export function fileErrorText(error: Error): string {
  const errno = error instanceof KernelError ? error.errno : fileErrno(error);
  if (errno !== null) return errnoText(errno);
  return error instanceof Deno.errors.NotCapable
    ? "Deno has no permission for it (bin/dirtyring has it for all but /dev and /proc)"
    : error.message;
}

/**
 * Recognizes a failure for lack of room: on the disk, of file descriptors or of memory. The command
 * line is not to blame then.
 *
 * @param what The call that failed, for the error.
 * @param error What was thrown: by Deno's file functions, or a {@linkcode KernelError} of a kernel
 * that reads files.
 * @returns The error to throw instead; `null` if the reason is another one.
 */
export function fileShortage(what: string | Wording, error: unknown): KernelError | null {
  if (error instanceof KernelError) {
    // When a file is read, EFBIG means that the file itself is too large.
    return NO_ROOM.has(error.errno) && error.errno !== ERRNO.EFBIG ? error : null;
  }
  const errno = fileErrno(error);
  return errno !== null && NO_ROOM.has(errno) ? new KernelError(what, -errno) : null;
}

/** The exit statuses of dirtyring: cli/topics/statuses.ts says what they mean. */
export const EXIT = {
  /** Done, and every check holds. */
  OK: 0,
  /** A check does not hold. */
  BROKEN: 1,
  /** The command line, a file or a value in one of them is wrong, whatever the kernel. */
  USAGE: 2,
  /** The kernel refused what was asked or failed a call, the guest failed, or something ran out. */
  KERNEL: 3,
  /** This host lacks what is needed. */
  HOST: 4,
  /** A defect of dirtyring. */
  DEFECT: 70,
  /** A kernel of `--kernel` did not boot, panicked, hung or ran out of time. */
  MACHINE: 125,
  /** Interrupted by SIGHUP. As in a shell, the status of a signal is 128 plus its number. */
  SIGHUP: 129,
  SIGINT: 130,
  /** The reader of the output closed it early; the status is that of SIGPIPE. */
  CLOSED_PIPE: 141,
  SIGTERM: 143,
} as const;

/**
 * Thrown where a signal ends work that has gathered nothing yet: there is nothing to print, and
 * nothing went wrong.
 */
export class EndedBySignal extends Error {
  /** The signal. */
  readonly signal: "SIGINT" | "SIGTERM" | "SIGHUP";

  /** Creates an error that carries the signal. */
  constructor(signal: EndedBySignal["signal"]) {
    super(`ended by ${signal}`);
    this.signal = signal;
  }
}
