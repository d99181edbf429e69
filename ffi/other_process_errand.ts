import { HostError } from "./host_error.ts";

/** What another process is asked to do with a file that it inherits. */
export type Errand =
  /** An ioctl without an argument. */
  | { readonly do: "ioctl"; readonly request: number }
  /** To map a page of the file, shared, and store a byte at its beginning. */
  | { readonly do: "store"; readonly page: number; readonly byte: number };

/**
 * Lets another process do something with a file that it inherits: a program of its own, with an address
 * space of its own.
 *
 * @param fd A file descriptor that is not closed on exec.
 * @param errand What to do.
 * @returns 0 for any result, or minus errno.
 * @throws {HostError} Where Deno may not start a process.
 */
export function askElsewhere(fd: number, errand: Errand): number {
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
        JSON.stringify(errand),
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
