import {
  ERRNO,
  errnoText,
  KernelError,
  type Limit,
  WordedError,
  type Wording,
} from "../ffi/errors.ts";

/**
 * The command line, a file, or a value in one is wrong, or above a limit that the kernel reports. The
 * message names the value, says what was expected, and where it can, what to do.
 */
export class UsageError extends WordedError {
  /** Says what is wrong. */
  constructor(wording: string | Wording) {
    super(wording);
    this.name = "UsageError";
  }
}

/** A value that does not fit: by itself, beside another, or on this kernel. */
export class ValueError extends UsageError {
  /** What was asked for, by name: `{ gap: 300 }`; sizes are in bytes. */
  readonly asked: Readonly<Record<string, number | string>>;
  /** What would have been taken of the first of them; `null` where numbers do not say it. */
  readonly limit: Limit | null;

  /**
   * Says what does not fit.
   *
   * @param asked What was asked for, by name.
   * @param limit What would have been taken.
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

/** The guest stopped in a way that its program never does: a defect of the guest, or of KVM. */
export class GuestError extends WordedError {
  /**
   * Says how the guest stopped.
   *
   * @param wording One line: which vCPU, which exit, where.
   */
  constructor(wording: string | Wording) {
    super(wording);
    this.name = "GuestError";
  }
}

/** What neither the file nor the command line is to blame for. */
const NO_ROOM: ReadonlySet<number> = new Set([
  ...[ERRNO.EMFILE, ERRNO.ENFILE, ERRNO.ENOMEM],
  ...[ERRNO.ENOSPC, ERRNO.EDQUOT, ERRNO.EFBIG],
]);

/**
 * The errno with which the system refused a call of Deno's file functions, which tell it in words alone: `No space
 * left on device (os error 28): ...`.
 *
 * @example
 * ```ts
 * import { fileErrno } from "./errors.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(fileErrno(new Error("No space left on device (os error 28)")), 28);
 * ```
 *
 * @returns The errno, positive; `null` where the system refused nothing.
 */
export function fileErrno(error: unknown): number | null {
  const found = error instanceof Error ? /\(os error (\d+)\)/.exec(error.message) : null;
  return found === null ? null : Number(found[1]);
}

/**
 * Why a file could not be used, by Deno's file functions or by the kernel's.
 *
 * @returns The errno with its meaning, or what Deno said.
 */
export function fileErrorText(error: Error): string {
  const errno = error instanceof KernelError ? error.errno : fileErrno(error);
  if (errno !== null) return errnoText(errno);
  return error instanceof Deno.errors.NotCapable
    ? "Deno has no permission for it (bin/dirtyring has it for all but /dev and /proc)"
    : error.message;
}

/**
 * A call of Deno's file functions that failed for want of room: on the disk, of descriptors or of memory. The command
 * line is not wrong then.
 *
 * @param what What was tried, for the error.
 * @param error What was thrown; one of the calls with which a kernel reads files is looked at, too.
 * @returns The error to throw instead; `null` where it failed for another reason.
 */
export function fileShortage(what: string | Wording, error: unknown): KernelError | null {
  if (error instanceof KernelError) {
    // Read, a file that is too large is to blame.
    return NO_ROOM.has(error.errno) && error.errno !== ERRNO.EFBIG ? error : null;
  }
  const errno = fileErrno(error);
  return errno !== null && NO_ROOM.has(errno) ? new KernelError(what, -errno) : null;
}

/** The exit statuses of dirtyring: README.md, "Exit statuses". */
export const EXIT = {
  /** Done, and all that was checked holds. */
  OK: 0,
  /** Something that was checked does not hold. */
  BROKEN: 1,
  /** The command line, a file or a value in it is wrong. */
  USAGE: 2,
  /** The kernel refused or failed a call that was needed, the guest failed, or something ran out. */
  KERNEL: 3,
  /** This host cannot do it. */
  HOST: 4,
  /** A defect of dirtyring. */
  DEFECT: 70,
  /** A kernel of `--kernel` that did not boot, panicked, hung or ran out of time. */
  MACHINE: 125,
  /** Interrupted; these as a shell tells of a process that the signal ended: 128 and its number. */
  SIGHUP: 129,
  SIGINT: 130,
  /** The reader of the output went away before all was done: SIGPIPE's. */
  CLOSED_PIPE: 141,
  SIGTERM: 143,
} as const;
