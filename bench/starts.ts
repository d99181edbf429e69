import type { Kernel } from "../ffi/kernel.ts";
import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";
import type { Interrupt } from "../lab/interrupt.ts";
import { ringVm } from "../lab/guest_vm.ts";
import { quantile } from "../lab/median.ts";
import { live } from "../live/live.ts";
import { planLab } from "../lab/plan.ts";
import { type ProcessFacts, processFacts } from "./process_facts.ts";

const STARTS = 1000;
const VCPUS = 2;
/** More than a ring holds, so that full rings are among what is started and stopped. */
const STORES = 600;
const RING = 256;
/** A Worker's thread may outlive its last message by a little. */
const SETTLE_MS = 5_000;
/** Starts that a median of memory is taken over. */
const WINDOW = 50;

/**
 * Starts and stops a live run of two vCPUs again and again, and counts what this process holds before
 * and after: file descriptors, threads, KVM's mappings, memory.
 *
 * @param kernel The kernel that answers.
 * @param interrupt Ends it early.
 * @throws {HostError} Where the host has no usable KVM, or no dirty ring.
 * @throws {Error} Where a run did not come to its end, or something was left behind.
 */
export async function benchStarts(kernel: Kernel, interrupt: Interrupt): Promise<void> {
  for (const guest of ["real16", "long64"] as const) await start(kernel, interrupt, guest);
  const before = await settled(null);
  const rss: number[] = [];
  const started = performance.now();
  for (let n = 0; n < STARTS; n++) {
    await start(kernel, interrupt, n % 2 === 0 ? "real16" : "long64");
    rss.push(processFacts().rssKiB);
  }
  const each = (performance.now() - started) / STARTS;
  const after = await settled(before);
  const half = quantile(rss.slice(STARTS / 2 - WINDOW, STARTS / 2), 0.5);
  const end = quantile(rss.slice(-WINDOW), 0.5);
  console.log(
    `  ${STARTS} starts, ${each.toFixed(1)} ms each; memory ${mib(half)} after half of them, ` +
      `${mib(end)} at the end: ${mib(end - half)} more`,
  );
  for (const what of ["fds", "threads", "kvmMappings"] as const) {
    const left = after[what] > before[what] ? ": LEFT" : "";
    console.log(`  ${what}: ${before[what]} before, ${after[what]} after${left}`);
  }
  console.log(`  all mappings: ${before.mappings} before, ${after.mappings} after`);
}

async function start(
  kernel: Kernel,
  interrupt: Interrupt,
  guest: "real16" | "long64",
): Promise<void> {
  const plan = planLab({
    guest,
    vcpus: VCPUS,
    memory: 64 * 2 ** 20,
    slots: 1,
    ringBytes: RING * kvm_dirty_gfn.size,
    pattern: { name: "sequential", parameter: 0 },
    pages: STORES,
    rounds: 1,
    seed: 1,
  });
  using lab = ringVm(kernel, plan);
  const { vcpus, ok, error, lost, problems, interrupted } = await live(lab, interrupt, {
    stores: STORES,
    durationMs: null,
    intervalMs: 1,
    timeoutMs: 20_000,
  });
  const stores = vcpus.reduce((sum, vcpu) => sum + vcpu.stores, 0);
  if (ok && error === null && stores === STORES) return;
  const why = error ?? problems[0] ?? interrupted ?? `${lost.count} pages lost`;
  throw new Error(`${stores} of ${STORES} stores: ${why}`);
}

// The counts, once threads are as many as before or time has passed.
async function settled(before: ProcessFacts | null): Promise<ProcessFacts> {
  const since = performance.now();
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const facts = processFacts();
    const isSettled = before === null
      ? performance.now() - since > 500
      : facts.threads <= before.threads || performance.now() - since > SETTLE_MS;
    if (isSettled) return facts;
  }
}

function mib(kib: number): string {
  return `${(kib / 1024).toFixed(1)} MiB`;
}
