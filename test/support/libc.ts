import type { Kernel } from "../../ffi/kernel.ts";
import { openLibc } from "../../ffi/libc.ts";
import { memoryFile } from "../../ffi/process.ts";

/**
 * libc, bound before any test begins. It is never unloaded, and Deno would report that as a leak of
 * the test that bound it. The calls below bind the symbols that are otherwise bound late.
 */
export const LIBC: Kernel = openLibc();
LIBC.lseek(-1, 0, 0);
LIBC.statx("/", new Uint8Array(256));
LIBC.sigmask(new Uint8Array(128), null);
memoryFile("bound", [])[Symbol.dispose]();
