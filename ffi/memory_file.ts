import { errnoText } from "./errno.ts";
import { HostError } from "./host_error.ts";
import { loadLibc } from "./libc.ts";

// <sys/mman.h> and <unistd.h>
const SYMBOLS = {
  // int memfd_create(const char *name, unsigned int flags);
  memfd_create: { parameters: ["buffer", "u32"], result: "i32" },
  // ssize_t write(int fd, const void buf[count], size_t count);
  write: { parameters: ["i32", "buffer", "u64"], result: "i64" },
  // int close(int fd);
  close: { parameters: ["i32"], result: "i32" },
  // int *__errno_location(void);
  __errno_location: { parameters: [], result: "pointer" },
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
  // SAFETY: 4 bytes, an int of this thread's storage, owned by libc; it lives as long as the thread.
  const errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(libc.__errno_location()!, 4));
  const failure = (call: string) =>
    new HostError(`${call}: ${errnoText(errno[0]!)}`, "free some memory");
  // SAFETY: a string that ends in NUL, which the kernel copies.
  const fd = libc.memfd_create(new TextEncoder().encode(`${name}\0`), MFD_CLOEXEC);
  if (fd < 0) throw failure("memfd_create()");
  const close = () => void libc.close(fd);
  let size = 0;
  for (const piece of pieces) {
    size += piece.length;
    for (let bytes = piece; bytes.length > 0;) {
      // SAFETY: bytes.length bytes of the caller's, which the kernel copies.
      const done = Number(
        libc.write(
          fd,
          new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length),
          BigInt(bytes.length),
        ),
      );
      if (done <= 0) {
        const error = failure("write() to a file in memory");
        close();
        throw error;
      }
      bytes = bytes.subarray(done);
    }
  }
  return { path: `/proc/${Deno.pid}/fd/${fd}`, size, [Symbol.dispose]: close };
}
