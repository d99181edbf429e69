// Compares live runs with live runs in C.
import { live } from "../commands/live/live.ts";
import type { LiveResult } from "../commands/live/live_result.ts";
import { quotas } from "../drive/live_vcpus.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";
import type { GuestName } from "../guest/guest.ts";
import type { Interrupt } from "../host/interrupt.ts";
import { ringVm } from "../machine/guest_vm.ts";
import { passesFor, type Plan, planLab } from "../machine/plan.ts";
import type { Reference } from "./compile_reference.ts";
import { Pair, type Target } from "./pair.ts";
import type { LiveReferenceResult } from "./reference_library.ts";

const VCPUS = 2;
const TURNS = 15;
const WARM_UPS = 2;
const TIMEOUT_MS = 60_000;
/**
 * All of the guest's memory. The list has each page once, so none is stored to twice between two
 * harvests.
 */
const MEMORY = 64 * 2 ** 20;
const PAGES = 16384;
/** The least length of a vCPU's part of the list, so that it is seldom begun again. */
const LEAST_LIST = 65536;
/**
 * Stores of a run: about a third of a second on a KVM in software, which is less than the time
 * between two audits.
 */
const STORES: Readonly<Record<GuestName, number>> = { real16: 60_000, long64: 45_000 };

const FULL_STOP: Target = { most: 1.5, text: "target within 1.5" };

/** The live runs of one comparison. */
interface Case {
  readonly ring: number;
  readonly intervalMs: number;
  /** The target: this part of C's stores per second. */
  readonly least: number;
}

/**
 * The long interval lets rings become full: with harvests every 10 ms, rings of that size hardly
 * ever do.
 */
const CASES: readonly Case[] = [
  { ring: 256, intervalMs: 10, least: 0.8 },
  { ring: 4096, intervalMs: 10, least: 0.95 },
  { ring: 4096, intervalMs: 1000, least: 0.95 },
  { ring: 65536, intervalMs: 10, least: 0.95 },
];

/**
 * Measures live runs of two vCPUs against live runs in C with pthreads, with the same guest, list,
 * memory, rings and intervals. Each run makes a VM of its own.
 *
 * @param reference Makes the runs in C.
 * @param interrupt Ends a run early.
 * @throws {HostError} If the host has no usable KVM, or no dirty ring.
 */
export async function benchLive(
  kernel: Kernel,
  reference: Reference,
  interrupt: Interrupt,
): Promise<void> {
  for (const guest of ["long64", "real16"] as const) {
    for (const one of CASES) await benchCase(kernel, reference, interrupt, guest, one);
  }
}

async function benchCase(
  kernel: Kernel,
  reference: Reference,
  interrupt: Interrupt,
  guest: GuestName,
  { ring, intervalMs, least }: Case,
): Promise<void> {
  const plan = planLab({
    guest,
    vcpus: VCPUS,
    memory: MEMORY,
    slots: 1,
    ringBytes: ring * kvm_dirty_gfn.size,
    pattern: { name: "sequential", parameter: 0 },
    pages: PAGES,
    rounds: 1,
    seed: 1,
    passes: passesFor(PAGES, VCPUS, LEAST_LIST),
  });
  const name = `${guest}, ${ring} entries, ${intervalMs} ms`;
  const rate = new Pair(name, { least, text: `target at least ${least}` }, perSecond);
  const stop = new Pair(`  full ring to KVM_RUN, p50`, FULL_STOP);
  let fullExits = 0;
  for (let turn = -WARM_UPS; turn < TURNS; turn++) {
    const [ours, theirs] = await both(kernel, reference, interrupt, plan, intervalMs);
    if (turn < 0) continue;
    const stores = STORES[guest];
    rate.add(stores / ours.elapsedNs, stores / theirs.runNs);
    fullExits += theirs.fullExits;
    if (ours.fullStop.p50Ns === null || theirs.fullStop.p50Ns === 0) continue;
    stop.add(ours.fullStop.p50Ns, theirs.fullStop.p50Ns);
  }
  console.log(rate.line());
  if (stop.turns > 0) console.log(`${stop.line()}  ${fullExits} stops in C`);
}

// Makes one run of each side, on VMs made from one plan. Both must make all stores and lose none.
async function both(
  kernel: Kernel,
  reference: Reference,
  interrupt: Interrupt,
  plan: Plan,
  intervalMs: number,
): Promise<readonly [LiveResult, LiveReferenceResult]> {
  const stores = STORES[plan.guest.name];
  using lab = ringVm(kernel, plan);
  const shares = quotas(lab.vcpus, stores);
  const setup = {
    ringBytes: plan.ringBytes,
    slot0: lab.slot0.slice(),
    loggedBytes: plan.options.memory,
    guest: plan.guest,
    quests: plan.blocks.map(({ first, stores }, id) => ({
      pass: { ...lab.errand(id, first, 0), stores },
      stores: shares[id]!,
    })),
    intervalMs,
    timeoutMs: TIMEOUT_MS,
  };
  const ours = await live(lab, interrupt, {
    stores,
    durationMs: null,
    intervalMs,
    timeoutMs: TIMEOUT_MS,
  });
  const theirs = reference.live(setup);
  const made = ours.vcpus.reduce((sum, vcpu) => sum + vcpu.stores, 0);
  const problem = ours.error ?? ours.problems[0] ?? ours.interrupted;
  if (problem !== null && problem !== undefined) throw new Error(problem);
  if (made !== stores || theirs.stores !== stores) {
    throw new Error(`${made} stores, in C ${theirs.stores}, of ${stores}`);
  }
  if (ours.lost.count + theirs.lost > 0) {
    throw new Error(`${ours.lost.count} pages lost, in C ${theirs.lost}`);
  }
  return [ours, theirs];
}

function perSecond(storesAndNs: number): string {
  return `${(storesAndNs * 1e6).toFixed(1)} k/s`;
}
