import type { Kernel } from "../ffi/kernel.ts";
import { openLibc } from "../ffi/libc.ts";

/**
 * The kernel that a command talks to. The one place that picks it.
 *
 * @param trace Called with a line for each kernel call, or `null` to trace none.
 * @returns The kernel.
 * @throws {HostError} Where it cannot be reached.
 */
export async function openKernel(trace: ((line: string) => void) | null): Promise<Kernel> {
  const kernel = openLibc();
  if (trace === null) return kernel;
  const { traceKernel } = await import("../ffi/trace.ts");
  return traceKernel(kernel, trace);
}
