// Tests of tracepoints run where these can be opened. Elsewhere they are skipped, with the reason.
import type { Kernel } from "../../ffi/kernel.ts";
import { THIS_THREAD, Tracepoint } from "../../kvm/tracepoint.ts";
import { LIBC } from "./libc.ts";
import { NOT_LIVE, testUnless } from "./live.ts";

/** Why tracepoints cannot be used here; `null` if they can. */
export const NOT_TRACEABLE: string | null = NOT_LIVE ?? (() => {
  try {
    using _event = Tracepoint.open(LIBC, "kvm_dirty_ring_push", THIS_THREAD);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
})();

/** Registers a test that needs KVM's tracepoints. */
export function tracedTest(name: string, body: () => void | Promise<void>): void {
  testUnless(NOT_TRACEABLE, `live: ${name}`, body);
}

/** The real kernel, but open(2) of a path that begins with `folder` fails with an errno. */
export function hiding(folder: string, errno: number): Kernel {
  return {
    ...LIBC,
    open: (path, flags) => path.startsWith(folder) ? -errno : LIBC.open(path, flags),
  };
}
