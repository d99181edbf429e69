import { printable } from "../text/printable.ts";
import { HostError } from "./errors.ts";

/** What another process is asked to do with a file that it inherits. */
export type Errand =
  /** An ioctl without an argument. */
  | { readonly do: "ioctl"; readonly request: number }
  /** To map a page of the file, shared, and store a byte at its beginning. */
  | { readonly do: "store"; readonly page: number; readonly byte: number };

/**
 * Another process that was asked for something gave no answer: it did not begin, crashed or was killed. Whether it did
 * what it was asked is not known.
 */
export class NoAnswerError extends Error {
  /** Says how the process ended. */
  constructor(message: string) {
    super(message);
    this.name = "NoAnswerError";
  }
}

/** The program that does errands. */
const PROGRAM: URL = new URL("other_process.ts", import.meta.url);

/**
 * Lets another process do something with a file that it inherits: a program of its own, with an address
 * space of its own.
 *
 * @param fd A file descriptor that is not closed on exec.
 * @param program The program that does it, for a test that breaks it.
 * @returns 0 for any result, or minus errno.
 * @throws {HostError} Where Deno may not start a process.
 * @throws {NoAnswerError} Where the process ended without an answer.
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
