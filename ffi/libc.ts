import { HostError } from "./errors.ts";
import type { Kernel } from "./kernel.ts";
import { SIGALRM, SIGSET_BYTES } from "./linux.ts";
import { askElsewhere, type Errand } from "./other_process_errand.ts";

/** Bytes of `struct statx`. */
const STATX_BYTES = 256;
const STATX_BASIC_STATS = 0x7ff;
const SIG_SETMASK = 2;
const ITIMER_REAL = 0;
// <asm/unistd_64.h>
const SYS_GETTID = 186n;
const SYS_TIMER_CREATE = 222n;
const SYS_TIMER_SETTIME = 223n;
const SYS_TIMER_DELETE = 226n;
const SYS_TGKILL = 234n;
const SYS_PERF_EVENT_OPEN = 298n;
const PERF_FLAG_FD_CLOEXEC = 8n;
/** Offset of `size` in `struct perf_event_attr`. */
const PERF_ATTR_SIZE_AT = 4;
/** `struct timespec` and the halves of `struct itimerval`: seconds and a fraction, 64 bits each. */
const TIME_BYTES = 16;
const CLOCK_MONOTONIC = 1n;
/** Bytes of `struct sigevent`, and offsets of its fields in words of 32 bits. */
const SIGEVENT = { bytes: 64, signo: 2, notify: 3, tid: 4 } as const;
const SIGEV_THREAD_ID = 4;

// Each entry has its C prototype. ioctl() is variadic, but on x86-64 its third argument is passed
// in the same register as a fixed one. So two fixed signatures do: one for a number, one for a
// struct.
const SYMBOLS = {
  // int open(const char *pathname, int flags);
  open: { parameters: ["buffer", "i32"], result: "i32" },
  // int close(int fd);
  close: { parameters: ["i32"], result: "i32" },
  // ssize_t read(int fd, void buf[count], size_t count);
  read: { parameters: ["i32", "buffer", "u64"], result: "i64" },
  // int ioctl(int fd, unsigned long op, ...);
  ioctl_number: { name: "ioctl", parameters: ["i32", "u64", "u64"], result: "i32" },
  ioctl_struct: { name: "ioctl", parameters: ["i32", "u64", "buffer"], result: "i32" },
  // void *mmap(void addr[length], size_t length, int prot, int flags, int fd, off_t offset);
  mmap: { parameters: ["u64", "u64", "i32", "i32", "i32", "i64"], result: "i64" },
  // int munmap(void addr[length], size_t length);
  munmap: { parameters: ["u64", "u64"], result: "i32" },
  // int *__errno_location(void);
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

// Bound on first use: binding takes a third of a millisecond for each symbol, and most commands
// need none of these.
const LATE_SYMBOLS = {
  // ssize_t pread(int fd, void buf[count], size_t count, off_t offset);
  pread: { parameters: ["i32", "buffer", "u64", "i64"], result: "i64" },
  // int statx(int dirfd, const char *pathname, int flags, unsigned int mask, struct statx *buf);
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  // int pthread_sigmask(int how, const sigset_t *set, sigset_t *oldset);
  pthread_sigmask: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  // int raise(int sig);
  raise: { parameters: ["i32"], result: "i32" },
  // int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout);
  sigtimedwait: { parameters: ["buffer", "u64", "buffer"], result: "i32" },
  // int setitimer(int which, const struct itimerval *new_value, struct itimerval *old_value);
  setitimer: { parameters: ["i32", "buffer", "u64"], result: "i32" },
  // sighandler_t signal(int signum, sighandler_t handler);
  signal: { parameters: ["i32", "pointer"], result: "pointer" },
  // void *dlsym(void *handle, const char *symbol);
  dlsym: { parameters: ["u64", "buffer"], result: "pointer" },
  // int madvise(void addr[length], size_t length, int advice);
  madvise: { parameters: ["u64", "u64", "i32"], result: "i32" },
  // int dup(int oldfd);
  dup: { parameters: ["i32"], result: "i32" },
  // long syscall(long number, ...), for calls that an older glibc has no function for. On x86-64
  // variadic arguments are passed like fixed ones, so there is a fixed signature for each
  // combination of types.
  syscall_numbers: { name: "syscall", parameters: ["i64", "i64", "i64", "i64"], result: "i64" },
  syscall_timer_create: {
    name: "syscall",
    parameters: ["i64", "i64", "buffer", "buffer"],
    result: "i64",
  },
  syscall_timer_settime: {
    name: "syscall",
    parameters: ["i64", "i64", "i64", "buffer", "u64"],
    result: "i64",
  },
  syscall_perf: {
    name: "syscall",
    parameters: ["i64", "buffer", "i64", "i64", "i64", "u64"],
    result: "i64",
  },
} as const satisfies Deno.ForeignLibraryInterface;

// A group of its own, for commands that need no other late symbol.
const SEEK_SYMBOLS = {
  // off_t lseek(int fd, off_t offset, int whence);
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
} as const satisfies Deno.ForeignLibraryInterface;

const PERMISSION = "run bin/dirtyring, or add --allow-ffi to deno run";

// Bound once for each thread and never closed: the process needs libc anyway.
let early: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"] | undefined;
let late: Deno.DynamicLibrary<typeof LATE_SYMBOLS>["symbols"] | undefined;
let seek: Deno.DynamicLibrary<typeof SEEK_SYMBOLS>["symbols"] | undefined;

/**
 * Binds functions of libc. The only place in the program that calls `Deno.dlopen`.
 *
 * @param symbols Their signatures.
 * @returns The functions.
 * @throws {HostError} Where libc cannot be loaded: another system, or no `--allow-ffi`.
 */
export function loadLibc<Symbols extends Deno.ForeignLibraryInterface>(
  symbols: Symbols,
): Deno.DynamicLibrary<Symbols>["symbols"] {
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") {
    throw new HostError(
      `${Deno.build.os} on ${Deno.build.arch}: no KVM that this program knows`,
      "use Linux on x86-64",
    );
  }
  try {
    return Deno.dlopen("libc.so.6", symbols).symbols;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) {
      throw new HostError("libc.so.6: Deno has no permission to call it", PERMISSION);
    }
    const why = error instanceof Error ? error.message : String(error);
    throw new HostError(
      `libc.so.6 cannot be loaded: ${why}`,
      "use a Linux with glibc 2.28 or newer",
    );
  }
}

/**
 * Makes a function that turns what libc returned into the answer of a system call: -1 becomes minus
 * errno. It reads errno through a view that is made once. That is safe, as errno is in thread-local
 * storage and its address never changes for this thread, and nothing runs between a synchronous
 * call and the read.
 *
 * @returns The function, for this thread only.
 * @throws {HostError} If libc cannot be loaded.
 */
export function libcAnswers(): (result: number) => number {
  const libc = early ??= loadLibc(SYMBOLS);
  // SAFETY: 4 bytes, an int of this thread's storage, owned by libc; it lives as long as the
  // thread.
  const errnoAt = libc.__errno_location();
  if (errnoAt === null) throw new HostError("__errno_location() answered NULL", "use glibc");
  const errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(errnoAt, 4));
  return (result) => result === -1 ? -(errno[0] ?? 0) : result;
}

/**
 * The real kernel, reached through libc.
 *
 * @throws {HostError} Where libc cannot be loaded: another system, or no `--allow-ffi`.
 */
export function openLibc(): Kernel {
  const libc = early ??= loadLibc(SYMBOLS);
  const answer = libcAnswers();
  const encoder = new TextEncoder();
  const cString = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(`${text}\0`);

  // The duplicate is not closed on exec, so that the other process inherits it.
  const elsewhere = (fd: number, errand: Errand): number => {
    const copy = answer((late ??= loadLibc(LATE_SYMBOLS)).dup(fd));
    if (copy < 0) return copy;
    try {
      return askElsewhere(copy, errand);
    } finally {
      libc.close(copy);
    }
  };

  return {
    backend: "kvm",
    insight: null,
    // SAFETY: the path ends in NUL and is owned by this call, which libc does not outlive.
    open: (path, flags) => answer(libc.open(cString(path), flags)),
    close: (fd) => answer(libc.close(fd)),
    // SAFETY: read() writes at most into.length bytes into memory that the caller owns.
    read: (fd, into) => answer(Number(libc.read(fd, into, BigInt(into.length)))),
    pread(fd, into, offset) {
      const { pread } = late ??= loadLibc(LATE_SYMBOLS);
      // SAFETY: pread() writes at most into.length bytes into memory that the caller owns.
      return answer(Number(pread(fd, into, BigInt(into.length), BigInt(offset))));
    },
    lseek: (fd, offset, whence) =>
      answer(Number((seek ??= loadLibc(SEEK_SYMBOLS)).lseek(fd, BigInt(offset), whence))),
    statx(path, into) {
      if (into.length < STATX_BYTES) throw new RangeError(`Cannot statx into ${into.length} bytes`);
      // SAFETY: the path ends in NUL; statx() writes STATX_BYTES, checked above, of the caller's.
      return answer(
        (late ??= loadLibc(LATE_SYMBOLS)).statx(-1, cString(path), 0, STATX_BASIC_STATS, into),
      );
    },
    ioctl(fd, request, argument) {
      if (typeof argument === "object") {
        // SAFETY: bits 16 to 29 of a request are its struct's size; the bytes are the caller's and
        // the kernel keeps no pointer to them after the call.
        const size = (request >>> 16) & 0x3fff;
        if (argument.length < size) {
          throw new RangeError(`Cannot pass ${argument.length} bytes where ${size} are read`);
        }
        return answer(libc.ioctl_struct(fd, BigInt(request), argument));
      }
      return answer(libc.ioctl_number(fd, BigInt(request), BigInt(argument)));
    },
    mmap(length, protection, flags, fd, offset) {
      // SAFETY: address 0 without MAP_FIXED: no existing mapping can be replaced.
      return answer(
        Number(libc.mmap(0n, BigInt(length), protection, flags, fd, BigInt(offset))),
      );
    },
    // SAFETY: kvm/mapping.ts, the owner of every mapping, drops its buffer before it calls this.
    munmap: (address, length) => answer(libc.munmap(BigInt(address), BigInt(length))),
    // SAFETY: the range is a mapping of the caller's, and the advice is of a kind that keeps what
    // is in it.
    madvise: (address, length, advice) =>
      answer((late ??= loadLibc(LATE_SYMBOLS)).madvise(BigInt(address), BigInt(length), advice)),
    sigmask(set, old) {
      if (set.length < SIGSET_BYTES || (old !== null && old.length < SIGSET_BYTES)) {
        throw new RangeError(`Cannot use a signal set of under ${SIGSET_BYTES} bytes`);
      }
      // SAFETY: both sets are SIGSET_BYTES long, checked above, and the caller's. The result is an
      // errno itself, not -1.
      return -(late ??= loadLibc(LATE_SYMBOLS)).pthread_sigmask(SIG_SETMASK, set, old);
    },
    raise: (signal) => (late ??= loadLibc(LATE_SYMBOLS)).raise(signal),
    gettid: () => Number((late ??= loadLibc(LATE_SYMBOLS)).syscall_numbers(SYS_GETTID, 0n, 0n, 0n)),
    tgkill(tid, signal) {
      const { syscall_numbers } = late ??= loadLibc(LATE_SYMBOLS);
      const [process, thread] = [BigInt(Deno.pid), BigInt(tid)];
      return answer(Number(syscall_numbers(SYS_TGKILL, process, thread, BigInt(signal))));
    },
    sigtimedwait(set) {
      if (set.length < SIGSET_BYTES) throw new RangeError(`Cannot wait for ${set.length} bytes`);
      // SAFETY: the set is SIGSET_BYTES long, checked above; no siginfo is asked for (NULL), and
      // the timeout is a `struct timespec` of this call, all zero: it does not wait.
      return answer(
        (late ??= loadLibc(LATE_SYMBOLS)).sigtimedwait(set, 0n, new Uint8Array(TIME_BYTES)),
      );
    },
    setitimer(microseconds) {
      const { signal, setitimer, dlsym } = late ??= loadLibc(LATE_SYMBOLS);
      // SAFETY: abs() takes an int and touches no memory, so it serves as a handler that does
      // nothing. It is libc's and lives as long as the process. It is installed before the timer
      // and removed after it.
      if (microseconds > 0) signal(SIGALRM, dlsym(0n, cString("abs")));
      const times = new BigUint64Array(2 * TIME_BYTES / 8);
      times[3] = BigInt(microseconds); // it_value.tv_usec; it_interval is 0: once
      // SAFETY: a `struct itimerval` of this call, which libc does not keep; the old one is not
      // asked for.
      const done = answer(setitimer(ITIMER_REAL, times, 0n));
      // SAFETY: NULL is SIG_DFL.
      if (microseconds === 0) signal(SIGALRM, null);
      return done;
    },
    // By syscall(): in an older glibc timer_create() is in another library.
    startTimer(signal, microseconds) {
      const { syscall_numbers, syscall_timer_create, syscall_timer_settime } = late ??= loadLibc(
        LATE_SYMBOLS,
      );
      const event = new Int32Array(SIGEVENT.bytes / 4);
      event[SIGEVENT.signo] = signal;
      event[SIGEVENT.notify] = SIGEV_THREAD_ID;
      event[SIGEVENT.tid] = Number(syscall_numbers(SYS_GETTID, 0n, 0n, 0n));
      const timer = new Int32Array(1);
      // SAFETY: a `struct sigevent` that the kernel reads, and an int that it writes, both of this
      // call.
      const made = syscall_timer_create(SYS_TIMER_CREATE, CLOCK_MONOTONIC, event, timer);
      const answered = answer(Number(made));
      if (answered < 0) return answered;
      const times = new BigInt64Array(2 * TIME_BYTES / 8); // it_interval, it_value: seconds and nanoseconds
      const { floor } = Math;
      for (const at of [0, 2]) {
        times[at] = BigInt(floor(microseconds / 1e6));
        times[at + 1] = BigInt(microseconds % 1e6 * 1000);
      }
      const id = BigInt(timer[0]!);
      // SAFETY: a `struct itimerspec` of this call, which the kernel does not keep; the old one is
      // not asked for.
      const set = answer(Number(syscall_timer_settime(SYS_TIMER_SETTIME, id, 0n, times, 0n)));
      if (set === 0) return Number(id);
      syscall_numbers(SYS_TIMER_DELETE, id, 0n, 0n);
      return set;
    },
    deleteTimer(timer) {
      const { syscall_numbers } = late ??= loadLibc(LATE_SYMBOLS);
      return answer(Number(syscall_numbers(SYS_TIMER_DELETE, BigInt(timer), 0n, 0n)));
    },
    ioctlElsewhere: (fd, request) => elsewhere(fd, { do: "ioctl", request }),
    storeElsewhere: (fd, page, byte) => elsewhere(fd, { do: "store", page, byte }),
    perfEventOpen(attr, tid) {
      const size = new DataView(attr.buffer, attr.byteOffset).getUint32(PERF_ATTR_SIZE_AT, true);
      if (attr.length < size) throw new RangeError(`Cannot pass ${attr.length} bytes of ${size}`);
      const { syscall_perf } = late ??= loadLibc(LATE_SYMBOLS);
      // SAFETY: the kernel reads as many bytes as the struct itself says, which are there, checked
      // above, and keeps no pointer to them. Processor -1 is any, and -1 is no group.
      const fd = syscall_perf(
        SYS_PERF_EVENT_OPEN,
        attr,
        BigInt(tid),
        -1n,
        -1n,
        PERF_FLAG_FD_CLOEXEC,
      );
      return answer(Number(fd));
    },
    view(address, length) {
      const pointer = Deno.UnsafePointer.create(BigInt(address));
      if (pointer === null) throw new RangeError("Cannot view memory at address 0");
      // SAFETY: the caller passes a mapping of its own and its length, and drops the buffer before
      // it unmaps it (kvm/mapping.ts).
      return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, length));
    },
  };
}
