// Compares rounds of dirtyring with rounds in C.
import { InlineDriver } from "../drive/inline_driver.ts";
import { Rounds } from "../drive/rounds.ts";
import type { Kernel } from "../ffi/kernel.ts";
import { kvm_dirty_gfn } from "../ffi/kvm_structs.ts";
import { ringVm } from "../machine/guest_vm.ts";
import { planLab } from "../machine/plan.ts";
import type { Reference } from "./compile_reference.ts";
import { Pair } from "./pair.ts";

/** The first rounds fault in the guest's memory and the ring, and compile the loops. */
const WARM_UPS = 10;
const TARGET = { most: 1.05, text: "target: the same" };

/** The rounds of one comparison. */
interface Case {
  readonly ringEntries: number;
  readonly stores: number;
  readonly turns: number;
}

/** The default lab, and one whose ring fills up four times per round. */
const CASES: readonly Case[] = [
  { ringEntries: 4096, stores: 256, turns: 501 },
  { ringEntries: 4096, stores: 16384, turns: 61 },
];

/**
 * Measures rounds of a lab against rounds of a VM that C code runs, with the same guest, list,
 * memory and ring.
 *
 * @param reference Makes the VM in C.
 * @throws {HostError} If the host has no usable KVM, or no dirty ring.
 */
export async function benchGuestTime(kernel: Kernel, reference: Reference): Promise<void> {
  for (const one of CASES) await benchCase(kernel, reference, one);
}

async function benchCase(
  kernel: Kernel,
  reference: Reference,
  { ringEntries, stores, turns }: Case,
): Promise<void> {
  const plan = planLab({
    guest: "real16",
    vcpus: 1,
    memory: 64 * 2 ** 20,
    slots: 1,
    ringBytes: ringEntries * kvm_dirty_gfn.size,
    pattern: { name: "sequential", parameter: 0 },
    pages: stores,
    rounds: turns,
    seed: 1,
  }, () => new Uint32Array());
  using lab = ringVm(kernel, plan);
  using vm = reference.openVm({
    ringBytes: plan.ringBytes,
    slot0: lab.slot0.slice(),
    loggedBytes: plan.options.memory,
    guest: plan.guest,
    stores,
  });
  const rounds = new Rounds(lab, new InlineDriver());
  const run = new Pair(`KVM_RUN, ${stores} stores`, TARGET);
  const harvest = new Pair(`harvest after it, ${stores} entries`);
  const reset = new Pair(`reset after it, ${stores} entries`);
  for (let turn = -WARM_UPS; turn < turns; turn++) {
    const ours = await rounds.round();
    const theirs = vm.round();
    if (rounds.problems.length > 0) throw new Error(rounds.problems.join("; "));
    if (ours.entries !== theirs.entries || ours.resets !== theirs.resets) {
      throw new Error(
        `the rounds differ: ${ours.entries} entries in ${ours.resets} resets, in C ` +
          `${theirs.entries} in ${theirs.resets}`,
      );
    }
    if (turn < 0) continue;
    run.add(ours.guestNs, theirs.guestNs);
    harvest.add(ours.harvestNs, theirs.harvestNs);
    reset.add(ours.resetNs, theirs.resetNs);
  }
  for (const pair of [run, harvest, reset]) console.log(pair.line());
}
