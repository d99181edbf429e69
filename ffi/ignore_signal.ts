import { loadLibc } from "./libc.ts";

const SYMBOLS = {
  // sighandler_t signal(int signum, sighandler_t handler);
  signal: { parameters: ["i32", "u64"], result: "i64" },
} as const satisfies Deno.ForeignLibraryInterface;

const SIG_IGN = 1n;

/**
 * Ignores a signal for as long as this process lives, and in the processes that it starts.
 *
 * @param signal The signal's number.
 * @returns Whether it is ignored: not where libc may not be called, or on another system.
 */
export function ignoreSignal(signal: number): boolean {
  // Asked first: a call without permission would put the question to a person at a terminal.
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return false;
  try {
    // SAFETY: SIG_IGN is a number and no function; -1 is SIG_ERR.
    return loadLibc(SYMBOLS).signal(signal, SIG_IGN) !== -1n;
  } catch {
    return false;
  }
}
