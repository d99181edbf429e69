// Errno numbers by name, and the errors of this program that carry them.

/**
 * All error numbers of Linux on x86 (`<asm-generic/errno-base.h>`, `<asm-generic/errno.h>`) with
 * their meaning. A table of our own, since `node:os` lists only 79 of them and takes some 35 ms to
 * load.
 */
export const ERRNO_TABLE = {
  EPERM: [1, "operation not permitted"],
  ENOENT: [2, "no such file or directory"],
  ESRCH: [3, "no such process or thread"],
  EINTR: [4, "interrupted by a signal"],
  EIO: [5, "input/output error"],
  ENXIO: [6, "no such device or address"],
  E2BIG: [7, "too big"],
  ENOEXEC: [8, "no program or module of this system"],
  EBADF: [9, "bad file descriptor"],
  ECHILD: [10, "no child processes"],
  EAGAIN: [11, "try again"],
  ENOMEM: [12, "out of memory"],
  EACCES: [13, "permission denied"],
  EFAULT: [14, "bad address"],
  ENOTBLK: [15, "not a block device"],
  EBUSY: [16, "device or resource busy"],
  EEXIST: [17, "exists already"],
  EXDEV: [18, "on another file system"],
  ENODEV: [19, "no such device"],
  ENOTDIR: [20, "not a directory"],
  EISDIR: [21, "is a directory"],
  EINVAL: [22, "invalid argument"],
  ENFILE: [23, "too many open files in the system"],
  EMFILE: [24, "too many open files"],
  ENOTTY: [25, "not this device's ioctl"],
  ETXTBSY: [26, "program file in use"],
  EFBIG: [27, "file too large"],
  ENOSPC: [28, "no space left"],
  ESPIPE: [29, "cannot seek"],
  EROFS: [30, "read-only file system"],
  EMLINK: [31, "too many links"],
  EPIPE: [32, "broken pipe"],
  EDOM: [33, "argument out of domain"],
  ERANGE: [34, "result out of range"],
  EDEADLK: [35, "would deadlock"],
  ENAMETOOLONG: [36, "file name too long"],
  ENOLCK: [37, "no locks left"],
  ENOSYS: [38, "function not implemented"],
  ENOTEMPTY: [39, "directory not empty"],
  ELOOP: [40, "too many symbolic links"],
  ENOMSG: [42, "no message of that type"],
  EIDRM: [43, "identifier removed"],
  ECHRNG: [44, "channel number out of range"],
  EL2NSYNC: [45, "level 2 not synchronized"],
  EL3HLT: [46, "level 3 halted"],
  EL3RST: [47, "level 3 reset"],
  ELNRNG: [48, "link number out of range"],
  EUNATCH: [49, "protocol driver not attached"],
  ENOCSI: [50, "no CSI structure left"],
  EL2HLT: [51, "level 2 halted"],
  EBADE: [52, "invalid exchange"],
  EBADR: [53, "invalid request descriptor"],
  EXFULL: [54, "exchange full"],
  ENOANO: [55, "no anode"],
  EBADRQC: [56, "invalid request code"],
  EBADSLT: [57, "invalid slot"],
  EBFONT: [59, "bad font file"],
  ENOSTR: [60, "not a stream"],
  ENODATA: [61, "no data"],
  ETIME: [62, "timer expired"],
  ENOSR: [63, "no stream resources left"],
  ENONET: [64, "not on the network"],
  ENOPKG: [65, "package not installed"],
  EREMOTE: [66, "object is remote"],
  ENOLINK: [67, "link severed"],
  EADV: [68, "advertise error"],
  ESRMNT: [69, "srmount error"],
  ECOMM: [70, "communication error"],
  EPROTO: [71, "protocol error"],
  EMULTIHOP: [72, "multihop attempted"],
  EDOTDOT: [73, "RFS error"],
  EBADMSG: [74, "bad message"],
  EOVERFLOW: [75, "value too large"],
  ENOTUNIQ: [76, "name not unique"],
  EBADFD: [77, "file descriptor in a bad state"],
  EREMCHG: [78, "remote address changed"],
  ELIBACC: [79, "cannot access a shared library"],
  ELIBBAD: [80, "corrupted shared library"],
  ELIBSCN: [81, "corrupted .lib section"],
  ELIBMAX: [82, "too many shared libraries"],
  ELIBEXEC: [83, "a shared library cannot be run"],
  EILSEQ: [84, "illegal byte sequence"],
  ERESTART: [85, "to be restarted"],
  ESTRPIPE: [86, "streams pipe error"],
  EUSERS: [87, "too many users"],
  ENOTSOCK: [88, "not a socket"],
  EDESTADDRREQ: [89, "destination address missing"],
  EMSGSIZE: [90, "message too long"],
  EPROTOTYPE: [91, "wrong protocol for the socket"],
  ENOPROTOOPT: [92, "no such protocol option"],
  EPROTONOSUPPORT: [93, "protocol not supported"],
  ESOCKTNOSUPPORT: [94, "socket type not supported"],
  EOPNOTSUPP: [95, "operation not supported"],
  EPFNOSUPPORT: [96, "protocol family not supported"],
  EAFNOSUPPORT: [97, "address family not supported"],
  EADDRINUSE: [98, "address in use"],
  EADDRNOTAVAIL: [99, "address not available"],
  ENETDOWN: [100, "network is down"],
  ENETUNREACH: [101, "network unreachable"],
  ENETRESET: [102, "network reset the connection"],
  ECONNABORTED: [103, "connection aborted"],
  ECONNRESET: [104, "connection reset by the other side"],
  ENOBUFS: [105, "no buffer space left"],
  EISCONN: [106, "already connected"],
  ENOTCONN: [107, "not connected"],
  ESHUTDOWN: [108, "shut down already"],
  ETOOMANYREFS: [109, "too many references"],
  ETIMEDOUT: [110, "timed out"],
  ECONNREFUSED: [111, "connection refused"],
  EHOSTDOWN: [112, "host is down"],
  EHOSTUNREACH: [113, "no route to host"],
  EALREADY: [114, "already under way"],
  EINPROGRESS: [115, "now under way"],
  ESTALE: [116, "stale file handle"],
  EUCLEAN: [117, "structure needs cleaning"],
  ENOTNAM: [118, "not a XENIX named file"],
  ENAVAIL: [119, "no XENIX semaphores left"],
  EISNAM: [120, "is a named file"],
  EREMOTEIO: [121, "remote input/output error"],
  EDQUOT: [122, "disk quota exceeded"],
  ENOMEDIUM: [123, "no medium"],
  EMEDIUMTYPE: [124, "wrong medium"],
  ECANCELED: [125, "canceled"],
  ENOKEY: [126, "its key is not known"],
  EKEYEXPIRED: [127, "its key has expired"],
  EKEYREVOKED: [128, "its key was revoked"],
  EKEYREJECTED: [129, "its signature was rejected"],
  EOWNERDEAD: [130, "its owner died"],
  ENOTRECOVERABLE: [131, "state not recoverable"],
  ERFKILL: [132, "switched off by RF-kill"],
  EHWPOISON: [133, "memory page has a hardware error"],
} as const satisfies Readonly<Record<string, readonly [number, string]>>;

/** The name of an errno. */
export type ErrnoName = keyof typeof ERRNO_TABLE;

const TABLE: Readonly<Record<ErrnoName, readonly [number, string]>> = ERRNO_TABLE;

/** Errno numbers by name: `ERRNO.EINVAL` is 22. */
export const ERRNO: Readonly<Record<ErrnoName, number>> = Object.freeze(
  Object.fromEntries(Object.entries(TABLE).map(([name, [number]]) => [name, number])),
) as Record<ErrnoName, number>; // the entries of TABLE are its keys; TypeScript types them as string

// A linear search: an errno is rarely named, and hardly ever twice.
function known(errno: number): { readonly name: string; readonly text: string } | null {
  for (const [name, [number, text]] of Object.entries(TABLE)) {
    if (number === errno) return { name, text };
  }
  return null;
}

/**
 * An errno's name.
 *
 * @example
 * ```ts
 * import { errnoName } from "./errors.ts";
 * errnoName(22); // "EINVAL"
 * ```
 *
 * @param errno The number, positive.
 * @returns The name, or `errno N` where Linux has no name for it.
 */
export function errnoName(errno: number): string {
  return known(errno)?.name ?? `errno ${errno}`;
}

/**
 * An errno's name and meaning.
 *
 * @example
 * ```ts
 * import { errnoText } from "./errors.ts";
 * errnoText(13); // "EACCES (permission denied)"
 * ```
 *
 * @param errno The number, positive.
 * @returns The name with its meaning, or `errno N` where Linux has no name for it.
 */
export function errnoText(errno: number): string {
  const found = known(errno);
  return found === null ? `errno ${errno}` : `${found.name} (${found.text})`;
}

/**
 * Gives the user's name for a value in an error: `ring` stays `ring`, or is `--ring` on a command
 * line.
 */
export type Naming = (value: string) => string;

/** A message that names values: it is built when it is known what the user calls them. */
export type Wording = (name: Naming) => string;

/** The range of numbers that would have been accepted; an end that is missing has no bound. */
export interface Limit {
  /** The smallest. */
  readonly least?: number;
  /** The largest. */
  readonly most?: number;
}

/**
 * An error whose message may name values. Its `message` has their plain names; a command line uses
 * {@linkcode WordedError.said} to get the message with the names of its options.
 */
export class WordedError extends Error {
  readonly #wording: string | Wording;

  /** Says what is wrong. */
  constructor(wording: string | Wording) {
    super(worded(wording));
    this.#wording = wording;
  }

  /**
   * The message with other names for its values.
   *
   * @param name Gives the name of a value.
   */
  said(name: Naming): string {
    return worded(this.#wording, name);
  }
}

// The text of a message; values keep their plain names unless `name` is given.
function worded(wording: string | Wording, name: Naming = (value) => value): string {
  return typeof wording === "string" ? wording : wording(name);
}

/**
 * This host cannot do what was asked, whatever the options are: no `/dev/kvm`, no permission, no
 * dirty ring, another processor. kselftest would call it a skip.
 */
export class HostError extends WordedError {
  /** What is missing, without the advice. */
  readonly what: string;
  /** What to do about it. */
  readonly advice: string;

  /**
   * Says what is missing and what to do.
   *
   * @param what What was tried and what the system answered.
   * @param advice What to do about it, in one clause.
   */
  constructor(what: string | Wording, advice: string) {
    super((name) => `${worded(what, name)}; ${advice}`);
    this.name = "HostError";
    this.what = worded(what);
    this.advice = advice;
  }
}

/** What a {@linkcode KernelError} can contain beyond the call and its errno. */
export interface KernelErrorOptions {
  /** What to do about it, in one clause. */
  readonly advice?: string | Wording;
  /** The values that were refused, by name: `{ ring: 100 }`. */
  readonly asked?: Readonly<Record<string, number>>;
  /** The range that would have been accepted, if it is one of numbers. */
  readonly limit?: Limit;
}

/**
 * A kernel call failed that had to succeed. The message has the call with its arguments, the errno
 * and, where known, what to do about it: `KVM_CREATE_VCPU(0): ENOMEM (out of memory)`.
 */
export class KernelError extends WordedError {
  readonly #call: string | Wording;
  /** The call with its arguments, `KVM_CREATE_VCPU(0)`. */
  readonly call: string;
  /** The errno, positive; 0 if the call succeeded with an unexpected answer. */
  readonly errno: number;
  /** What to do about it; `null` if that is not known. */
  readonly advice: string | null;
  /** The values that were refused, by name; empty if the call alone says it. */
  readonly asked: Readonly<Record<string, number>>;
  /** The range that would have been accepted; `null` if it is unknown, or not one of numbers. */
  readonly limit: Limit | null;

  /**
   * Describes a call that failed.
   *
   * @param call The call with its arguments.
   * @param answer What the call returned: minus an errno.
   */
  constructor(call: string | Wording, answer: number, options: KernelErrorOptions = {}) {
    const { advice } = options;
    super((name) => {
      const what = `${worded(call, name)}: ${errnoText(-answer)}`;
      return advice === undefined ? what : `${what}; ${worded(advice, name)}`;
    });
    this.name = "KernelError";
    this.#call = call;
    this.call = worded(call);
    this.errno = -answer;
    this.advice = advice === undefined ? null : worded(advice);
    this.asked = options.asked ?? {};
    this.limit = options.limit ?? null;
  }

  /**
   * A new error for the same call and errno, and the same values, with advice.
   *
   * @param advice What to do, in one clause.
   */
  advising(advice: string): KernelError {
    const { asked, limit } = this;
    return new KernelError(
      this.#call,
      -this.errno,
      limit === null ? { advice, asked } : { advice, asked, limit },
    );
  }

  /** The errno's name, `"EINVAL"`. */
  get errnoName(): string {
    return errnoName(this.errno);
  }
}

/**
 * Returns what a call answered, or throws if it failed.
 *
 * @param answer What the call answered: zero or more, or minus an errno.
 * @param call The call with its arguments, for the error; a function if building the text is
 * costly.
 * @param advice What to do about a failure, in one clause.
 * @returns `answer`, zero or more.
 * @throws {KernelError} If `answer` is minus an errno.
 */
export function checked(
  answer: number,
  call: string | (() => string),
  advice?: string | Wording,
): number {
  if (answer >= 0) return answer;
  throw new KernelError(
    typeof call === "string" ? call : call(),
    answer,
    advice === undefined ? {} : { advice },
  );
}
