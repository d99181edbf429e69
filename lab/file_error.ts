import { ERRNO, errnoText } from "../ffi/errno.ts";
import type { Wording } from "../ffi/host_error.ts";
import { KernelError } from "../ffi/kernel_error.ts";

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
 * import { fileErrno } from "./file_error.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(fileErrno(new Error("No space left on device (os error 28)")), 28);
 * ```
 *
 * @param error What was thrown.
 * @returns The errno, positive; `null` where the system refused nothing.
 */
export function fileErrno(error: unknown): number | null {
  const found = error instanceof Error ? /\(os error (\d+)\)/.exec(error.message) : null;
  return found === null ? null : Number(found[1]);
}

/**
 * Why a file could not be used, by Deno's file functions or by the kernel's.
 *
 * @param error What was thrown.
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
