import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";
import type { BenchOptions } from "./bench_options.ts";
import type { BenchSite } from "./bench_ring.ts";
import { RING_SIZE_GUEST, type RunRingSize } from "./bench_ring_sizes.ts";
import { passesFor } from "../lab/blocks.ts";
import { GuestError } from "../lab/guest_error.ts";
import { ringVm } from "../lab/guest_vm.ts";
import { live } from "../live/live.ts";
import { planLab } from "../lab/plan.ts";

const TIMEOUT_MS = 120_000;
/** List elements of each vCPU, so that it seldom begins its list again. */
const LEAST_LIST = 1 << 15;

/**
 * Runs guests live, each on a fresh VM: what the ring-size sweep measures.
 *
 * @param site Kernel, interrupt and problems.
 * @param options The guest and the pattern.
 * @param stores Stores of each run, over all vCPUs.
 * @returns What runs a guest with rings of a size.
 */
export function liveRing(
  site: BenchSite,
  options: BenchOptions,
  stores: number = RING_SIZE_GUEST.stores,
): RunRingSize {
  const { guest, pattern, seed } = options;
  const { vcpus, memoryBytes, dirtyPages, intervalMs } = RING_SIZE_GUEST;
  return async (ringEntries) => {
    const plan = planLab({
      guest,
      pattern,
      seed,
      vcpus,
      slots: 1,
      rounds: 1,
      memory: memoryBytes,
      pages: dirtyPages,
      ringBytes: ringEntries * kvm_dirty_gfn.size,
      passes: (stores) => passesFor(stores, vcpus, LEAST_LIST),
    });
    using lab = ringVm(site.kernel, plan);
    const timing = { stores, durationMs: null, intervalMs, timeoutMs: TIMEOUT_MS };
    const result = await live(lab, site.interrupt, timing);
    if (result.error !== null) throw new GuestError(result.error);
    if (result.interrupted !== null) return null;
    const found = [...result.problems];
    if (result.lost.count > 0) found.push("a page holds a store that no entry announced");
    site.problems.push(...found.map((problem) => `rings of ${ringEntries} entries: ${problem}`));
    if (found.length > 0) return null;
    const sum = (figure: "stores" | "entries" | "fullExits" | "stoppedNs") =>
      result.vcpus.reduce((all, vcpu) => all + vcpu[figure], 0);
    return {
      fullExits: sum("fullExits"),
      stoppedNs: sum("stoppedNs"),
      storesPerSecond: sum("stores") / (result.elapsedNs / 1e9),
      entries: sum("entries"),
    };
  };
}
