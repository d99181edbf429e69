// Files of the host, read through libc if that is allowed, and through Deno otherwise.
import { checked, ERRNO, HostError } from "../ffi/errors.ts";
import { openLibc } from "../ffi/libc.ts";
import { O_CLOEXEC, O_RDONLY } from "../ffi/linux.ts";
import { printable } from "../text/printable.ts";
import { shellWord } from "../text/shell_word.ts";
import { UsageError } from "./errors.ts";
import { type Files, joined, readPieces } from "./facts.ts";

const STDIN = 0;
/** The path by which users name standard input. Deno would demand all permissions to open it. */
const STDIN_PATH = "/dev/stdin";
/** The only descriptor of {@linkcode denoFiles}: it has one file open at a time. */
const FILE = 3;

const ERRNO_BY_NAME: ReadonlyMap<string, number> = new Map(Object.entries(ERRNO));

/** What may be told of a reading, and is not needed by most. */
export interface ReadOptions {
  /** The most bytes that are read; 512 MiB unless given. */
  readonly most?: number;
  /** How standard input is written in place of the file, for advice; `-` unless given. */
  readonly standardInput?: string;
}

/**
 * Reads a file of the host piece by piece, whatever kernel is under test. It calls libc if that is
 * allowed, which needs no permission beyond those for KVM, and otherwise Deno.
 *
 * @param path The file, or `null` for standard input.
 * @yields Some bytes of it.
 * @throws {KernelError} If it cannot be opened or read, or holds more (EFBIG).
 * @throws {UsageError} If Deno opens no such file for a program that may not do everything.
 * @throws {HostError} If Deno has no permission to read it.
 */
export function* hostFilePieces(
  path: string | null,
  { most, standardInput = "-" }: ReadOptions = {},
): Generator<Uint8Array<ArrayBuffer>> {
  const name = path ?? "standard input";
  const files = libcFiles() ?? denoFiles(name, standardInput);
  if (path === null) return yield* readPieces(files, STDIN, name, most);
  const fd = checked(files.open(path, O_RDONLY | O_CLOEXEC), () => `open(${printable(path)})`);
  try {
    yield* readPieces(files, fd, name, most);
  } finally {
    files.close(fd);
  }
}

/**
 * Reads a whole file of the host, as {@linkcode hostFilePieces} does.
 *
 * @param path The file, or `null` for standard input.
 * @throws {KernelError} If it cannot be opened or read, or holds more (EFBIG).
 * @throws {UsageError} If Deno opens no such file for a program that may not do everything.
 * @throws {HostError} If Deno has no permission to read it.
 */
export function readHostFile(
  path: string | null,
  options: ReadOptions = {},
): Uint8Array<ArrayBuffer> {
  return joined(hostFilePieces(path, options));
}

function libcFiles(): Files | null {
  // Query first: a call without the permission would prompt the user at a terminal.
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return null;
  try {
    return openLibc();
  } catch (error) {
    if (error instanceof HostError) return null; // not Linux
    throw error;
  }
}

// Deno's file functions, with the return values of system calls.
function denoFiles(name: string, standardInput: string): Files {
  let file: Deno.FsFile | undefined;
  const answer = (call: () => number) => answerOf(call, name, standardInput);
  return {
    open: (path) =>
      answer(() => {
        if (path !== STDIN_PATH) file = Deno.openSync(path);
        return FILE;
      }),
    read: (_fd, into) => answer(() => (file ?? Deno.stdin).readSync(into) ?? 0),
    close() {
      file?.close();
      return 0;
    },
  };
}

function answerOf(call: () => number, name: string, standardInput: string): number {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const errno = "code" in error ? ERRNO_BY_NAME.get(`${error.code}`) : undefined;
    if (errno !== undefined) return -errno;
    const file = printable(name);
    const instead = `${standardInput} < ${shellWord(name)}`;
    const denied = error instanceof Deno.errors.NotCapable;
    // Of /dev, /proc and /sys Deno does not even say whether there is such a file.
    if (denied && Deno.permissions.querySync({ name: "read", path: name }).state === "granted") {
      throw new UsageError(
        `${file}: Deno opens no such file without all permissions; expected a plain file, or ` +
          `standard input (${instead})`,
      );
    }
    throw new HostError(
      `${file}: ${denied ? "Deno has no permission to read it" : error.message}`,
      `add --allow-read=FILE to deno run, or pass it to standard input (${standardInput} < FILE)`,
    );
  }
}
