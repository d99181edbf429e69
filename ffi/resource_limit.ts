import { loadLibc } from "./libc.ts";

/** A limit of setrlimit(2) that this program may come to. */
export type ResourceName = "RLIMIT_NPROC" | "RLIMIT_NOFILE" | "RLIMIT_AS";

// <asm-generic/resource.h>
const RESOURCES: Readonly<Record<ResourceName, number>> = {
  RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7,
  RLIMIT_AS: 9,
};

const SYMBOLS = {
  // int getrlimit(int resource, struct rlimit *rlim);
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

// Bound when it is first called, and never closed: it is libc.
let bound: ReturnType<typeof loadLibc<typeof SYMBOLS>> | undefined;

/** No limit is as large: RLIM_INFINITY is all ones. */
const MOST = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * A limit of this process: the soft one, by which it is held.
 *
 * @param name Which.
 * @returns Descriptors, processes and threads, or bytes; `null` where there is no limit, or libc may not be called.
 */
export function resourceLimit(name: ResourceName): number | null {
  // Asked first: a call without permission would put the question to a person at a terminal.
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return null;
  const limit = new BigUint64Array(2); // rlim_cur, rlim_max
  try {
    // SAFETY: a `struct rlimit` of this call, 16 bytes, which libc does not keep.
    if ((bound ??= loadLibc(SYMBOLS)).getrlimit(RESOURCES[name], limit) !== 0) return null;
  } catch {
    return null; // another system
  }
  return limit[0]! > MOST ? null : Number(limit[0]);
}
