// This process: signal sets, resource limits, and files in memory.
import { errnoText, HostError } from "./errors.ts";
import { kvm_signal_mask } from "./kvm_structs.ts";
import { libcAnswers, loadLibc, openLibc } from "./libc.ts";
import { SIGSET_BYTES } from "./linux.ts";

/** Bytes of the kernel's own `sigset_t`, smaller than glibc's. */
const KERNEL_SIGSET_BYTES = 8;

/**
 * Makes a signal set.
 *
 * @example
 * ```ts
 * import { signalSet } from "./process.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals([...signalSet(1, 10).subarray(0, 2)], [0b1, 0b10]); // bit n − 1 is signal n
 * ```
 *
 * @returns The bytes of glibc's `sigset_t`.
 */
export function signalSet(...signals: readonly number[]): Uint8Array<ArrayBuffer> {
  const set = new Uint8Array(SIGSET_BYTES);
  for (const signal of signals) set[(signal - 1) >> 3]! |= 1 << ((signal - 1) & 7);
  return set;
}

/**
 * The argument of `KVM_SET_SIGNAL_MASK`: the signals that are blocked while the vCPU runs.
 *
 * @param set The bytes of a `sigset_t`.
 * @returns A `struct kvm_signal_mask` and its set.
 */
export function kvmSignalMask(set: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(kvm_signal_mask.size + KERNEL_SIGSET_BYTES);
  new DataView(bytes.buffer).setUint32(kvm_signal_mask.at.len, KERNEL_SIGSET_BYTES, true);
  bytes.set(set.subarray(0, KERNEL_SIGSET_BYTES), kvm_signal_mask.size);
  return bytes;
}

/** A limit of setrlimit(2) that this program may hit. */
export type ResourceName = "RLIMIT_NPROC" | "RLIMIT_NOFILE" | "RLIMIT_AS";

// <asm-generic/resource.h>
const RESOURCES: Readonly<Record<ResourceName, number>> = {
  RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7,
  RLIMIT_AS: 9,
};

const LIMIT_SYMBOLS = {
  // int getrlimit(int resource, struct rlimit *rlim);
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

// Bound on first use and never closed: it is libc.
let bound: ReturnType<typeof loadLibc<typeof LIMIT_SYMBOLS>> | undefined;

/** Larger limits count as none: RLIM_INFINITY is all ones. */
const MOST = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * A limit of this process: the soft one, which the kernel enforces.
 *
 * @returns A number of descriptors, of processes and threads, or of bytes; `null` if there is no
 * limit, or libc may not be called.
 */
export function resourceLimit(name: ResourceName): number | null {
  // Asked first: a call without permission would put the question to a person at a terminal.
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return null;
  const limit = new BigUint64Array(2); // rlim_cur, rlim_max
  try {
    // SAFETY: a `struct rlimit` of this call, 16 bytes, which libc does not keep.
    if ((bound ??= loadLibc(LIMIT_SYMBOLS)).getrlimit(RESOURCES[name], limit) !== 0) return null;
  } catch {
    return null; // another system
  }
  return limit[0]! > MOST ? null : Number(limit[0]);
}

const SIGNAL_SYMBOLS = {
  // sighandler_t signal(int signum, sighandler_t handler);
  signal: { parameters: ["i32", "u64"], result: "i64" },
} as const satisfies Deno.ForeignLibraryInterface;

const SIG_IGN = 1n;

/**
 * Ignores a signal for as long as this process lives, and in the processes that it starts.
 *
 * @returns Whether it is ignored now: `false` if libc may not be called, and on another system.
 */
export function ignoreSignal(signal: number): boolean {
  // Asked first: a call without permission would put the question to a person at a terminal.
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return false;
  try {
    // SAFETY: SIG_IGN is a number and no function; -1 is SIG_ERR.
    return loadLibc(SIGNAL_SYMBOLS).signal(signal, SIG_IGN) !== -1n;
  } catch {
    return false;
  }
}

// <sys/mman.h> and <unistd.h>
const FILE_SYMBOLS = {
  // int memfd_create(const char *name, unsigned int flags);
  memfd_create: { parameters: ["buffer", "u32"], result: "i32" },
  // ssize_t write(int fd, const void buf[count], size_t count);
  write: { parameters: ["i32", "buffer", "u64"], result: "i64" },
} as const satisfies Deno.ForeignLibraryInterface;

const MFD_CLOEXEC = 1;

// Bound on first use and never closed: it is libc.
let boundFiles: ReturnType<typeof loadLibc<typeof FILE_SYMBOLS>> | undefined;

/**
 * A file without a name and without a place on a disk. It ends with this process, however that
 * ends.
 */
export interface MemoryFile extends Disposable {
  /** A path by which processes of the same user can open it until it is disposed. */
  readonly path: string;
  /** Its length in bytes when it was made. */
  readonly size: number;
}

/**
 * Makes a file in memory.
 *
 * @param name The name that `/proc` shows for it.
 * @param pieces Its content, in order.
 * @returns The file; the caller disposes it.
 * @throws {HostError} If memory is short, or libc has no memfd_create().
 */
export function memoryFile(name: string, pieces: Iterable<Uint8Array>): MemoryFile {
  const libc = boundFiles ??= loadLibc(FILE_SYMBOLS);
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
      // No piece is in shared memory, although its type would allow that.
      const part = new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length);
      // SAFETY: part.length bytes of the caller's, which the kernel copies.
      const done = answer(Number(libc.write(fd, part, BigInt(part.length))));
      bytes = bytes.subarray(checked("write() to a file in memory", done));
    }
  }
  const held = stack.move();
  return { path: `/proc/${Deno.pid}/fd/${fd}`, size, [Symbol.dispose]: () => held.dispose() };
}
