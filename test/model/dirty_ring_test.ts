// Compares the model's ring with the coalescing rule of ring/, which is an independent
// implementation.
import { assertEquals } from "@std/assert";
import type { ModelVersion, ResetCall } from "../../ffi/insight.ts";
import { MODEL_VERSIONS } from "../../host/backend.ts";
import {
  type DirtyRing,
  kvm_dirty_ring_alloc,
  kvm_dirty_ring_full,
  kvm_dirty_ring_push,
  kvm_dirty_ring_reset,
  kvm_dirty_ring_soft_full,
  kvm_dirty_ring_used,
  rulesOf,
} from "../../model/dirty_ring.ts";
import { coalesce } from "../../ring/coalesce.ts";
import { entriesOf } from "../../ring/entry.ts";
import fc from "../support/fast_check.ts";

const rules = (version: ModelVersion, pml = false) => rulesOf({ version, pml, emulator: false });

// Forges an entry, as a program may, and marks it harvested.
function forge(ring: DirtyRing, n: number, slot: number, offset: bigint): void {
  ring.dirty_gfns.set([2, slot, Number(offset & 0xffff_ffffn), Number(offset >> 32n)], n * 4);
}

function reset(ring: DirtyRing, version: ModelVersion, signalAt = Infinity, maximum = Infinity) {
  const calls: ResetCall[] = [];
  let asked = 0;
  const walk = kvm_dirty_ring_reset(ring, rules(version), {
    signal_pending: () => asked++ >= signalAt,
    kvm_reset_dirty_gfn: (call) => calls.push(call),
  }, maximum);
  return { ...walk, calls };
}

const offsets = fc.oneof(
  fc.bigInt({ min: 0n, max: 300n }),
  fc.bigInt({ min: 2n ** 64n - 70n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: 2n ** 32n - 70n, max: 2n ** 32n + 70n }),
);
const entry = fc.tuple(fc.integer({ min: 1, max: 2 }), offsets);

Deno.test("the model's reset makes the batches of ring/coalesce.ts, in every version", () => {
  fc.assert(fc.property(fc.array(entry, { maxLength: 200 }), (list) => {
    const expected: ResetCall[] = [];
    coalesce(entriesOf(list), (batch) => {
      const wide = (low: number, high: number) => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
      expected.push({
        slot: batch.slot,
        offset: wide(batch.offsetLow, batch.offsetHigh),
        mask: wide(batch.maskLow, batch.maskHigh),
      });
    });
    for (const version of MODEL_VERSIONS) {
      const ring = kvm_dirty_ring_alloc(rules(version), 4096);
      list.forEach(([slot, offset], n) => forge(ring, n, slot, offset));
      const { count, calls } = reset(ring, version);
      assertEquals(count, list.length);
      assertEquals(calls.filter(({ mask }) => mask !== 0n), expected);
      const first = rules(version).emptyFirstCall ? 1 : 0;
      assertEquals(calls.length, expected.length + first);
      assertEquals(
        ring.dirty_gfns.filter((_, n) => n % 4 === 0).every((flags) => flags === 0),
        true,
      );
    }
  }));
});

Deno.test("the model's ring counts pushes, its soft limit and its size", () => {
  const ring = kvm_dirty_ring_alloc(rules("v6.1", true), 16384);
  assertEquals([ring.size, ring.soft_limit], [1024, 1024 - 576]);
  for (let n = 0; n < 448; n++) {
    assertEquals(kvm_dirty_ring_soft_full(ring), false);
    kvm_dirty_ring_push(ring, 1, n, null);
  }
  assertEquals([kvm_dirty_ring_soft_full(ring), kvm_dirty_ring_full(ring)], [true, false]);
  for (let n = 448; n < 1024; n++) kvm_dirty_ring_push(ring, 1, n, null);
  assertEquals([kvm_dirty_ring_used(ring), kvm_dirty_ring_full(ring)], [1024, true]);
});

Deno.test("the model's indices run free over 2^32", () => {
  const ring = kvm_dirty_ring_alloc(rules("latest"), 4096);
  ring.dirty_index = ring.reset_index = 2 ** 32 - 2;
  for (let n = 0; n < 4; n++) kvm_dirty_ring_push(ring, 1, n, null);
  assertEquals([ring.dirty_index, kvm_dirty_ring_used(ring)], [2, 4]);
  assertEquals([...ring.dirty_gfns.subarray(254 * 4, 255 * 4)], [1, 1, 0, 0]);
  assertEquals([...ring.dirty_gfns.subarray(0, 4)], [1, 1, 2, 0]);
  for (const n of [254, 255, 0, 1]) ring.dirty_gfns[n * 4] = 3;
  assertEquals([reset(ring, "latest").count, ring.reset_index], [4, 2]);
});

Deno.test("a signal ends the model's reset from v6.17 on, and its batch is lost", () => {
  for (const version of MODEL_VERSIONS) {
    const ring = kvm_dirty_ring_alloc(rules(version), 4096);
    for (let n = 0; n < 10; n++) forge(ring, n, 1, n < 5 ? BigInt(n) : BigInt(1000 + n));
    const { count, interrupted, calls } = reset(ring, version, 7);
    const isNew = version === "v6.17" || version === "latest";
    assertEquals([count, interrupted], isNew ? [7, true] : [10, false]);
    if (isNew) assertEquals(calls, [{ slot: 1, offset: 0n, mask: 0x1fn }]);
  }
});

Deno.test("the model's reset takes no more than its maximum, and resets what it took", () => {
  const ring = kvm_dirty_ring_alloc(rules("v6.17"), 4096);
  for (let n = 0; n < 10; n++) forge(ring, n, 1, BigInt(n));
  assertEquals(reset(ring, "v6.17", Infinity, 4).calls, [{ slot: 1, offset: 0n, mask: 0xfn }]);
  assertEquals(reset(ring, "v6.17").count, 6);
});
