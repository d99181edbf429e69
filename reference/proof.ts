// The long proof: millions of stores over two vCPUs, both guests, rings of every size, harvested
// while the vCPUs run. No store may be lost, and no entry may be read before it was published. It
// takes minutes: deno task proof [STORES [RING]]
import { live } from "../commands/live/live.ts";
import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";
import { openLibc } from "../ffi/libc.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import { Interrupt } from "../host/interrupt.ts";
import { ringVm } from "../machine/guest_vm.ts";
import { passesFor, planLab } from "../machine/plan.ts";

const STORES = 10_000_000;
const RINGS = [256, 1024, 4096, 16384, 65536] as const;
const GUESTS = ["long64", "real16"] as const;
/**
 * More pages than the largest ring has entries, so that no page comes twice within a ring's worth
 * of stores.
 */
const PAGES = 1 << 18;
const HOUR_MS = 3_600_000;
/**
 * Milliseconds between two harvests, per entry of the ring. A vCPU may fill its ring meanwhile: on
 * a KVM in software a store to a page takes some 20 µs.
 */
const INTERVAL_MS_AN_ENTRY = 0.03;

async function prove(
  guest: typeof GUESTS[number],
  ring: number,
  stores: number,
  interrupt: Interrupt,
): Promise<boolean> {
  const plan = planLab({
    guest,
    vcpus: 2,
    memory: PAGES * PAGE_SIZE,
    slots: 1,
    ringBytes: ring * kvm_dirty_gfn.size,
    pattern: { name: "sequential", parameter: 0 },
    pages: PAGES,
    rounds: 1,
    seed: 1,
    passes: (stores) => passesFor(stores, 2, 1),
  });
  using lab = ringVm(openLibc(), plan);
  const result = await live(lab, interrupt, {
    stores,
    durationMs: null,
    intervalMs: ring * INTERVAL_MS_AN_ENTRY,
    timeoutMs: HOUR_MS,
  });
  const made = result.vcpus.reduce((sum, vcpu) => sum + vcpu.stores, 0);
  const full = result.vcpus.reduce((sum, vcpu) => sum + vcpu.fullExits, 0);
  console.log(
    `${guest}, ${ring} entries: ${made} stores in ${(result.elapsedNs / 1e9).toFixed(0)} s, ` +
      `${result.order?.entries} entries in order (${result.order?.repeated} again), ${full} full exits, ` +
      `${result.audits} audits, lost ${result.lost.count}`,
  );
  for (const problem of result.problems) console.log(`  PROBLEM: ${problem}`);
  if (result.error !== null) console.log(`  ERROR: ${result.error}`);
  return result.ok && result.error === null && made === stores &&
    (result.order?.entries ?? 0) >= made;
}

if (import.meta.main) {
  const stores = Number(Deno.args[0] ?? STORES);
  using interrupt = new Interrupt();
  const rings = Deno.args[1] === undefined ? RINGS : [Number(Deno.args[1])];
  let isProved = true;
  for (const guest of GUESTS) {
    for (const ring of rings) {
      if (interrupt.signal !== null) break;
      if (!await prove(guest, ring, stores, interrupt)) isProved = false;
    }
  }
  console.log(isProved ? "proved: nothing lost" : "NOT PROVED");
  Deno.exitCode = interrupt.signal === null && isProved ? 0 : 1;
}
