import { openLibc } from "../ffi/libc.ts";
import { readText } from "./read_file.ts";

/** The bit of SIGHUP, which is signal 1, in a mask of signals. */
const HANGUP_BIT = 1n;
const MOST_STATUS = 1 << 16;

let found: boolean | undefined;

/**
 * Whether who started this program has it ignore SIGHUP, as nohup does: to listen for that signal would undo it. Asked
 * once: later it is Deno that says what becomes of signals.
 *
 * @returns Whether it is so; false where that cannot be told, as without the permission to call C functions.
 */
export function isNohup(): boolean {
  return found ??= Deno.permissions.querySync({ name: "ffi" }).state === "granted" && isIgnored();
}

// proc_pid_status(5): a mask of signals.
function isIgnored(): boolean {
  try {
    const status = readText(openLibc(), "/proc/self/status", MOST_STATUS) ?? "";
    const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
    return (BigInt(`0x${mask}`) & HANGUP_BIT) !== 0n;
  } catch {
    return false; // no Linux
  }
}
