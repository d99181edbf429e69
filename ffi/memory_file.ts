import { errnoText } from "./errno.ts";
import { HostError } from "./host_error.ts";
import { libcAnswers, loadLibc, openLibc } from "./libc.ts";

// <sys/mman.h> and <unistd.h>
const SYMBOLS = {
  // int memfd_create(const char *name, unsigned int flags);
  memfd_create: { parameters: ["buffer", "u32"], result: "i32" },
  // ssize_t write(int fd, const void buf[count], size_t count);
  write: { parameters: ["i32", "buffer", "u64"], result: "i64" },
} as const satisfies Deno.ForeignLibraryInterface;

const MFD_CLOEXEC = 1;

let bound: ReturnType<typeof loadLibc<typeof SYMBOLS>> | undefined;

/** A file without a name or a place on a disk: it goes with this process, however that ends. */
export interface MemoryFile extends Disposable {
  /** A path by which processes of the same user open it while this one lives. */
  readonly path: string;
  /** Its length when it was made. */
  readonly size: number;
}

/**
 * Makes a file in memory.
 *
 * @param name What `/proc` shows of it.
 * @param pieces Its content.
 * @returns The file.
 * @throws {HostError} Where memory is short, or libc has no memfd_create().
 */
export function memoryFile(name: string, pieces: Iterable<Uint8Array>): MemoryFile {
  const libc = bound ??= loadLibc(SYMBOLS);
  const answer = libcAnswers();
  const checked = (call: string, result: number): number => {
    if (result > 0) return result;
    throw new HostError(`${call}: ${errnoText(-result)}`, "free some memory");
  };
  // SAFETY: a string that ends in NUL, which the kernel copies.
  const made = libc.memfd_create(new TextEncoder().encode(`${name}\0`), MFD_CLOEXEC);
  const fd = checked("memfd_create()", answer(made));
  using stack = new DisposableStack();
  stack.defer(() => openLibc().close(fd));
  let size = 0;
  for (const piece of pieces) {
    size += piece.length;
    for (let bytes = piece; bytes.length > 0;) {
      // Nobody hands out shared memory here, as the type of a piece would allow.
      const part = new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length);
      // SAFETY: part.length bytes of the caller's, which the kernel copies.
      const done = answer(Number(libc.write(fd, part, BigInt(part.length))));
      bytes = bytes.subarray(checked("write() to a file in memory", done));
    }
  }
  const held = stack.move();
  return { path: `/proc/${Deno.pid}/fd/${fd}`, size, [Symbol.dispose]: () => held.dispose() };
}
