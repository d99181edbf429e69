/** The name of an errno that this program knows. */
export type ErrnoName =
  | "EPERM"
  | "ENOENT"
  | "ESRCH"
  | "EINTR"
  | "EIO"
  | "ENXIO"
  | "E2BIG"
  | "ENOEXEC"
  | "EBADF"
  | "EAGAIN"
  | "ENOMEM"
  | "EACCES"
  | "EFAULT"
  | "EBUSY"
  | "EEXIST"
  | "ENODEV"
  | "ENOTDIR"
  | "EISDIR"
  | "EINVAL"
  | "ENFILE"
  | "EMFILE"
  | "ENOTTY"
  | "EFBIG"
  | "ENOSPC"
  | "ESPIPE"
  | "EPIPE"
  | "ELOOP"
  | "ENAMETOOLONG"
  | "ENOSYS"
  | "EOVERFLOW"
  | "EOPNOTSUPP"
  | "ENOKEY"
  | "EKEYREJECTED";

// The error numbers of `<asm-generic/errno-base.h>` that this program names, with their texts.
const TABLE: Readonly<Record<ErrnoName, readonly [number, string]>> = {
  EPERM: [1, "operation not permitted"],
  ENOENT: [2, "no such file or directory"],
  ESRCH: [3, "no such process or thread"],
  EINTR: [4, "interrupted by a signal"],
  EIO: [5, "input/output error"],
  ENXIO: [6, "no such device or address"],
  E2BIG: [7, "too big"],
  ENOEXEC: [8, "no program or module of this system"],
  EBADF: [9, "bad file descriptor"],
  EAGAIN: [11, "try again"],
  ENOMEM: [12, "out of memory"],
  EACCES: [13, "permission denied"],
  EFAULT: [14, "bad address"],
  EBUSY: [16, "device or resource busy"],
  EEXIST: [17, "exists already"],
  ENODEV: [19, "no such device"],
  ENOTDIR: [20, "not a directory"],
  EISDIR: [21, "is a directory"],
  EINVAL: [22, "invalid argument"],
  ENFILE: [23, "too many open files in the system"],
  EMFILE: [24, "too many open files"],
  ENOTTY: [25, "not this device's ioctl"],
  EFBIG: [27, "file too large"],
  ENOSPC: [28, "no space left"],
  ESPIPE: [29, "cannot seek"],
  EPIPE: [32, "broken pipe"],
  ELOOP: [40, "too many symbolic links"],
  ENAMETOOLONG: [36, "file name too long"],
  ENOSYS: [38, "function not implemented"],
  EOVERFLOW: [75, "value too large"],
  EOPNOTSUPP: [95, "operation not supported"],
  ENOKEY: [126, "its key is not known"],
  EKEYREJECTED: [129, "its signature was rejected"],
};

/** Errno numbers by name: `ERRNO.EINVAL` is 22. */
export const ERRNO: Readonly<Record<ErrnoName, number>> = Object.freeze(
  Object.fromEntries(Object.entries(TABLE).map(([name, [number]]) => [name, number])),
) as Record<ErrnoName, number>; // the entries of TABLE are its keys; TypeScript types them as string

/**
 * An errno's name.
 *
 * @example
 * ```ts
 * import { errnoName } from "./errno.ts";
 * errnoName(22); // "EINVAL"
 * ```
 *
 * @param errno The number, positive.
 * @returns The name, or `errno N` where this program has no name for it.
 */
export function errnoName(errno: number): string {
  for (const [name, [number]] of Object.entries(TABLE)) if (number === errno) return name;
  return `errno ${errno}`;
}

/**
 * An errno in words.
 *
 * @example
 * ```ts
 * import { errnoText } from "./errno.ts";
 * errnoText(13); // "EACCES (permission denied)"
 * ```
 *
 * @param errno The number, positive.
 * @returns The name and what it means.
 */
export function errnoText(errno: number): string {
  for (const [name, [number, text]] of Object.entries(TABLE)) {
    if (number === errno) return `${name} (${text})`;
  }
  return `errno ${errno}`;
}
