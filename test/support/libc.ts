import type { Kernel } from "../../ffi/kernel.ts";
import { openLibc } from "../../ffi/libc.ts";
import { memoryFile } from "../../ffi/process.ts";

/**
 * libc, bound before any test begins: it is never unloaded, which a test that bound it would be blamed
 * for. The calls bind what is otherwise bound late.
 */
export const LIBC: Kernel = openLibc();
LIBC.lseek(-1, 0, 0);
LIBC.statx("/", new Uint8Array(256));
LIBC.sigmask(new Uint8Array(128), null);
memoryFile("bound", [])[Symbol.dispose]();
