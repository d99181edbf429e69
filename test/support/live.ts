// Tests of a live kernel run where /dev/kvm is usable; elsewhere they are shown as skipped, with the
// reason in their name, so that a run's summary counts them.
import { LIBC } from "./libc.ts";
import { System } from "../../kvm/system.ts";
import { largestRing } from "../../lab/ring_limits.ts";

function reasonAgainst(): string | null {
  try {
    using system = System.open(LIBC);
    largestRing(system);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Why live tests cannot run here; `null` where they can. */
export const NOT_LIVE: string | null = reasonAgainst();

/** Registers a test that needs a usable `/dev/kvm`. */
export function liveTest(name: string, body: () => void | Promise<void>): void {
  testUnless(NOT_LIVE, `live: ${name}`, body);
}

/** Registers a test that is shown as skipped where there is a reason against it. */
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
