import type { Kernel } from "../ffi/kernel.ts";
import { ERRNO } from "../ffi/errno.ts";
import { checked, KernelError } from "../ffi/kernel_error.ts";
import { O_CLOEXEC, O_RDONLY } from "../ffi/linux.ts";
import { printable } from "../text/printable.ts";

const CHUNK = 1 << 20;

/** What reads files: a kernel, or what stands in for it. */
export type Files = Pick<Kernel, "open" | "read" | "close">;

/** The most that is read of a file unless less is asked for: a pattern of some fifty million pages. */
const MOST: number = 512 * CHUNK;

/**
 * Reads all that is left in a file descriptor, piece by piece.
 *
 * @param files What reads it.
 * @param fd The file descriptor: 0 is standard input.
 * @param name What to call it in an error.
 * @param most The most bytes that are read; 512 MiB unless given.
 * @yields Some bytes of it, for the caller to keep.
 * @throws {KernelError} Where it cannot be read, or holds more (EFBIG).
 */
export function* readPieces(
  files: Pick<Files, "read">,
  fd: number,
  name: string,
  most: number = MOST,
): Generator<Uint8Array<ArrayBuffer>> {
  for (let size = 0;;) {
    const chunk = new Uint8Array(size === 0 ? 4096 : CHUNK);
    const got = checked(files.read(fd, chunk), () => `read(${printable(name)})`);
    if (got === 0) return;
    size += got;
    if (size > most) throw new KernelError(`read(${printable(name)})`, -ERRNO.EFBIG);
    yield got < CHUNK / 2 ? chunk.slice(0, got) : chunk.subarray(0, got);
  }
}

/**
 * Pieces as one.
 *
 * @param pieces The pieces.
 * @returns Their bytes.
 * @throws {KernelError} Where the pieces cannot be read.
 */
export function joined(pieces: Iterable<Uint8Array<ArrayBuffer>>): Uint8Array<ArrayBuffer> {
  const list = [...pieces];
  const all = new Uint8Array(list.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of list) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/**
 * A text file of the machine, whole.
 *
 * @param kernel The kernel that answers.
 * @param path The file.
 * @param most The most bytes that are read.
 * @returns Its text, or `null` where it cannot be read or holds more.
 */
export function readText(kernel: Files, path: string, most: number): string | null {
  const fd = kernel.open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return null;
  try {
    return new TextDecoder().decode(joined(readPieces(kernel, fd, path, most)));
  } catch (error) {
    if (error instanceof KernelError) return null;
    throw error;
  } finally {
    kernel.close(fd);
  }
}

/**
 * A small file of /proc or /sys as a line of text. Deno's own functions would need `--allow-all` for
 * these; the kernel's calls need nothing beyond what KVM needs, and the model has files of its own. Of a file that is
 * longer than a page the rest is left out.
 *
 * @param kernel The kernel that answers.
 * @param path The file.
 * @returns Its text without the final newline, or `null` where it cannot be read.
 */
export function readLine(kernel: Kernel, path: string): string | null {
  const fd = kernel.open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return null;
  const bytes = new Uint8Array(4096);
  const got = kernel.read(fd, bytes);
  kernel.close(fd);
  return got < 0 ? null : new TextDecoder().decode(bytes.subarray(0, got)).trimEnd();
}
