// Tests of a live kernel run where /dev/kvm is usable. Elsewhere they are skipped, with the reason
// in their name, so that the summary of a run counts them.
import { inferReserved, largestRing, smallestRing, System } from "../../kvm/system.ts";
import { LIBC } from "./libc.ts";

interface Host {
  readonly reason: string | null;
  readonly ringBytes: number;
}

function lookAtHost(): Host {
  try {
    using system = System.open(LIBC);
    return { reason: null, ringBytes: smallestRing(system, largestRing(system)) };
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error), ringBytes: 4096 };
  }
}

const HOST = lookAtHost();

/** Why live tests cannot run here; `null` if they can. */
export const NOT_LIVE: string | null = HOST.reason;

/** Bytes of the smallest ring that this host accepts: 4096, or 16384 with PML. */
export const RING_BYTES: number = HOST.ringBytes;

/** Entries of the smallest ring. */
export const RING_ENTRIES: number = RING_BYTES / 16;

/** Soft limit of the smallest ring, in entries. */
export const SOFT_LIMIT: number = RING_ENTRIES - (inferReserved(RING_BYTES) ?? 0);

/** Why a test of what faults push, and in which order, cannot run here; `null` if it can. */
export const NO_FAULTS: string | null = NOT_LIVE ??
  (RING_BYTES > 4096
    ? "this processor logs in a PML buffer, which reaches the ring at exits"
    : null);

/** Registers a test that needs a usable `/dev/kvm`. */
export function liveTest(name: string, body: () => void | Promise<void>): void {
  testUnless(NOT_LIVE, `live: ${name}`, body);
}

/** Registers a test, which is skipped if there is a reason. */
export function testUnless(
  reason: string | null,
  name: string,
  body: () => void | Promise<void>,
): void {
  Deno.test({
    name: reason === null ? name : `${name} (skipped: ${reason})`,
    ignore: reason !== null,
    fn: body,
  });
}
