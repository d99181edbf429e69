import { errnoText } from "../ffi/errno.ts";
import { KernelError } from "../ffi/kernel_error.ts";

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
