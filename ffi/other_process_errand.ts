import { printable } from "../text/printable.ts";
import { HostError } from "./errors.ts";

/** What another process is asked to do with a file that it inherits. */
export type Errand =
  /** An ioctl without an argument. */
  | { readonly do: "ioctl"; readonly request: number }
  /** To map a page of the file, shared, and store a byte at its beginning. */
  | { readonly do: "store"; readonly page: number; readonly byte: number };

/**
 * Another process was asked to do something and gave no answer: it did not start, crashed or was
 * killed. Whether it did what it was asked is unknown.
 */
export class NoAnswerError extends Error {
  /** Says how the process ended. */
  constructor(message: string) {
    super(message);
    this.name = "NoAnswerError";
  }
}

/** The program that runs errands. */
const PROGRAM: URL = new URL("other_process.ts", import.meta.url);

/**
 * Makes another process do something with a file that it inherits. It has its own address space,
 * and so is not the owner of a VM.
 *
 * @param fd A file descriptor that is not closed on exec.
 * @param program The program to run; a test replaces it with a broken one.
 * @returns 0 for any result, or minus errno.
 * @throws {HostError} If Deno may not start a process.
 * @throws {NoAnswerError} If the process ended without an answer.
 */
export function askElsewhere(fd: number, errand: Errand, program: URL = PROGRAM): number {
  const { code, signal, stdout, stderr } = outputOf(fd, errand, program);
  const [said, complaint] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (code === 0 && /^(0|-[1-9]\d*)\n$/.test(said!)) return Number(said);
  const how = signal !== null ? `was killed by ${signal}` : `ended with status ${code}`;
  const why = complaint!.split("\n").find((line) => line.trim() !== "");
  throw new NoAnswerError(
    `another process, asked for ${JSON.stringify(errand)}, ${how} and gave no answer` +
      (why === undefined ? "" : `: ${printable(why)}`),
  );
}

function outputOf(fd: number, errand: Errand, program: URL): Deno.CommandOutput {
  try {
    return new Deno.Command(Deno.execPath(), {
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
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).outputSync();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new HostError(
      "Deno has no permission to start another process",
      "run bin/dirtyring, or add --allow-run to deno run",
    );
  }
}
