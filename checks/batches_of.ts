import type { ResetCall } from "../ffi/insight.ts";
import { coalesce } from "../ring/coalesce.ts";
import { entriesOf } from "../ring/entries.ts";
import type { Place } from "./forged.ts";

/**
 * The batches that ring/coalesce.ts gathers from one ring's entries, as `kvm_reset_dirty_gfn` takes
 * them.
 *
 * @example
 * ```ts
 * import { batchesOf } from "./batches_of.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(batchesOf([[1, 7], [1, 5]]), [{ slot: 1, offset: 5n, mask: 0b101n }]);
 * ```
 *
 * @param entries Slot and offset of each, in the order in which they are reset.
 * @returns A call for each batch.
 */
export function batchesOf(entries: readonly Place[]): ResetCall[] {
  const calls: ResetCall[] = [];
  coalesce(entriesOf(entries), ({ slot, offsetLow, offsetHigh, maskLow, maskHigh }) => {
    calls.push({ slot, offset: wide(offsetHigh, offsetLow), mask: wide(maskHigh, maskLow) });
  });
  return calls;
}

function wide(high: number, low: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
