// The harvest cycle with each tracker, and what it reports if something is wrong.
import { assertEquals } from "@std/assert";
import { HarvestCycle } from "../../drive/harvest_cycle.ts";
import { InlineDriver } from "../../drive/inline_driver.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { trackerOf } from "../../machine/bitmap_tracker.ts";
import type { Rearmed, TrackingKind } from "../../machine/dirty_tracker.ts";
import { GuestVm, type RingVm } from "../../machine/guest_vm.ts";
import { planLab } from "../../machine/plan.ts";
import { RingTracker, takeSorted } from "../../machine/ring_tracker.ts";
import { DirtySet } from "../../memory/page_sets.ts";
import { Witness } from "../../memory/witness.ts";
import { model } from "../support/checkpoints.ts";
import { labOptions, makeLab } from "../support/labs.ts";
import { RING_BYTES } from "../support/live.ts";

const IDS = [0, 1];
const OPTIONS = { guest: "long64", vcpus: 2, pages: 40, text: "random", slots: 3 } as const;

async function storeAll(vm: GuestVm): Promise<void> {
  for (const [id, { vcpu, first, stores }] of vm.vcpus.entries()) {
    vm.begin(id, first, stores);
    await new InlineDriver().run(vcpu);
  }
}

function madeWith(kind: TrackingKind, kernel: Kernel = model()): GuestVm {
  return new GuestVm(kernel, planLab(labOptions(OPTIONS)), trackerOf(kind, RING_BYTES));
}

for (const kind of ["ring", "bitmap", "bitmap-manual"] as const) {
  Deno.test(`HarvestCycle learns every page of a ${kind} once, and re-protects it`, async () => {
    using vm = madeWith(kind);
    const cycle = new HarvestCycle(vm.tracker);
    const pages = new DirtySet(vm.pages.total);
    for (let round = 0; round < 3; round++) {
      await storeAll(vm);
      cycle.learnInto(pages, vm.pages, IDS);
      assertEquals(cycle.due, 40);
      const answers: Rearmed[] = [];
      cycle.rearm((answer) => answers.push(answer));
      assertEquals(answers.map(({ count }) => count), [kind === "ring" ? 40 : null]);
      assertEquals([...pages.sorted()], [...vm.plan.sequence].sort((a, b) => a - b));
      pages.clear();
      cycle.learnInto(pages, vm.pages, IDS);
      assertEquals([pages.count, cycle.due], [0, 0], "re-protected");
      cycle.rearm();
    }
    assertEquals([cycle.conclude(), cycle.problems.list], [[], []]);
    assertEquals(vm.tracker.learnedOf(1), kind === "ring" ? 60 : 0);
  });
}

Deno.test("HarvestCycle reads what it learned once, in the order taken", async () => {
  using vm = makeLab(OPTIONS, model());
  const cycle = new HarvestCycle(vm.tracker, { take: takeSorted });
  const witness = new Witness(vm.memory, vm.pages, 1);
  await storeAll(vm);
  cycle.learn([1, 0]);
  cycle.rearm();
  const seen: [number, number][] = [];
  const read = () =>
    cycle.read(witness, (id, entries) => {
      seen.push([id, entries.length]);
      witness.read(entries);
    });
  read();
  read();
  assertEquals(seen, [[1, 20], [0, 20]]);
  witness.checkAll();
  assertEquals([witness.lost.count, cycle.problems.count], [0, 0]);
});

/** A tracker whose resets return what a test says, and which reset nothing. */
class TakesBack extends RingTracker {
  counts: number[] = [];

  override rearm(): { readonly count: number; readonly ns: number } {
    return { count: this.counts.shift() ?? 0, ns: 1 };
  }
}

function shortOf(mostResets: number) {
  const tracker = new TakesBack(RING_BYTES);
  const vm = new GuestVm(model(), planLab(labOptions(OPTIONS)), tracker);
  return { vm, tracker, cycle: new HarvestCycle(tracker, { mostResets }) };
}

for (const [most, made] of [[1, 1], [2, 2], [8, 3]] as const) {
  Deno.test(`HarvestCycle repeats a reset that is short, ${most} of them at most`, async () => {
    const { vm, tracker, cycle } = shortOf(most);
    using _vm = vm;
    await storeAll(vm);
    cycle.learn(IDS);
    tracker.counts = [30, 7, 3, 5];
    let resets = 0;
    cycle.rearm(() => resets++);
    assertEquals([resets, cycle.due], [made, 0]);
    assertEquals(cycle.problems.list, [
      "KVM_RESET_DIRTY_RINGS returned 30, but 40 entries were harvested",
    ]);
  });
}

Deno.test("HarvestCycle has the witness note a short reset, and no other", async () => {
  const { vm, tracker, cycle } = shortOf(1);
  using _vm = vm;
  let [harvests, short] = [0, 0];
  class Counting extends Witness {
    override beginHarvest(): void {
      harvests++;
    }
    override noteShortReset(): void {
      short++;
    }
  }
  const witness = new Counting(vm.memory, vm.pages, 1);
  await storeAll(vm);
  for (const count of [39, 0, 1]) {
    cycle.learn(IDS);
    tracker.counts = [count];
    cycle.rearm();
    cycle.read(witness, () => {});
  }
  // Of the second and third nothing was harvested: the last one returned too much.
  assertEquals([harvests, short, cycle.problems.count], [3, 1, 2]);
});

Deno.test("HarvestCycle tells what is left behind: not reached, or not reset", async () => {
  const vm: RingVm = makeLab(OPTIONS, model());
  using _vm = vm;
  const cycle = new HarvestCycle(vm.tracker);
  await storeAll(vm);
  cycle.learn([1]);
  assertEquals(cycle.conclude(), [0]);
  cycle.noteWedged(0);
  assertEquals(cycle.problems.list, [
    "vCPU 0's ring holds 20 entries that an in-order harvest does not reach: it overflowed",
    "vCPU 1's ring holds 20 harvested entries that were not reset",
    "vCPU 0 stopped with KVM_EXIT_DIRTY_RING_FULL, but its ring brought no entry: it overflowed, " +
    "and an in-order harvest cannot go on",
  ]);
});

Deno.test("HarvestCycle lists twenty problems, and counts the rest", () => {
  using vm = makeLab({}, model());
  const { problems } = new HarvestCycle(vm.tracker);
  for (let n = 0; n < 23; n++) problems.add(`${n}`);
  assertEquals([problems.list.length, problems.list.at(-1)], [21, "and 3 more of the kind"]);
});
