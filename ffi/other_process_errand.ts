import { HostError } from "./host_error.ts";

/**
 * Lets another process make an ioctl on a file that it inherits: a program of its own, with an address
 * space of its own.
 *
 * @param fd A file descriptor that is not closed on exec.
 * @param request The request number; it takes no argument.
 * @returns 0 for any result, or minus errno.
 * @throws {HostError} Where Deno may not start a program.
 */
export function ioctlElsewhere(fd: number, request: number): number {
  const program = new URL("other_process.ts", import.meta.url);
  try {
    const { code } = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-prompt",
        "--no-config",
        "--no-lock",
        "--allow-ffi",
        program.href,
        `${fd}`,
        `${request}`,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).outputSync();
    return -code;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new HostError(
      "Deno has no permission to start another process",
      "run bin/dirtyring, or add --allow-run to deno run",
    );
  }
}
