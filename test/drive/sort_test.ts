// `--sort`: entries sorted in the ring are reset like any others, and a sorter that gets one wrong
// is detected.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { reset } from "../../commands/reset/reset.ts";
import { InlineDriver } from "../../drive/inline_driver.ts";
import { sortCost, type SortSide } from "../../drive/measure.ts";
import { Rounds } from "../../drive/rounds.ts";
import { run } from "../../drive/story.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { KVM_RESET_DIRTY_RINGS } from "../../ffi/kvm_ioctls.ts";
import { Interrupt } from "../../host/interrupt.ts";
import type { Take } from "../../machine/dirty_tracker.ts";
import type { RingVm } from "../../machine/guest_vm.ts";
import { takeSorted } from "../../machine/ring_tracker.ts";
import { Witness } from "../../memory/witness.ts";
import { openModel } from "../../model/model_kernel.ts";
import { PLAIN_PAGE } from "../../report/page.ts";
import { sortText } from "../../report/sort_text.ts";
import { median } from "../../ring/distribution.ts";
import type { PageName } from "../../ring/entry.ts";
import { dirtyring } from "../support/cli.ts";
import { type Fault, faultyKernel } from "../support/faulty_kernel.ts";
import { makeLab } from "../support/labs.ts";
import { LIBC } from "../support/libc.ts";
import { liveTest, NO_FAULTS, SOFT_LIMIT, testUnless } from "../support/live.ts";

const ALL_AT_ONCE = { harvestFirst: undefined, gap: undefined };
const RANDOM = { guest: "long64", text: "random" } as const;

liveTest("run() with sorting loses nothing, over slots, vCPUs and full rings", async () => {
  using lab = makeLab({ ...RANDOM, vcpus: 2, slots: 3, memory: 8 << 20, pages: 1900, rounds: 3 });
  using interrupt = new Interrupt();
  const { ok, problems, lost, rounds, stats, sort } = await run(lab, interrupt, "auto", true);
  assertEquals([ok, problems, lost.count], [true, [], 0]);
  for (const { stores, entries, reset } of rounds) {
    assertEquals([stores, reset], [1900, entries]);
    assert(entries >= 1900);
  }
  // The entries that the statistics saw stood in order already.
  assertEquals(stats.total.batches, stats.total.sorted.batches);
  assert(sort!.repetitions > 0 && sort!.faster <= sort!.repetitions);
  assert(sort!.plain.batches > sort!.sorted.batches);
  for (const { harvestNsPerEntry, resetNsPerEntry } of [sort!.plain, sort!.sorted]) {
    assert(harvestNsPerEntry! > 0 && resetNsPerEntry! > 0);
  }
});

liveTest("run() without sorting measures none", async () => {
  using lab = makeLab({ pages: 20 });
  using interrupt = new Interrupt();
  assertEquals((await run(lab, interrupt, "auto")).sort, null);
});

testUnless(
  NO_FAULTS,
  "live: every page of a sorted reset is pushed again, round after round, past the ring's end",
  async () => {
    using lab = makeLab({ ...RANDOM, pages: 150 }); // 256 entries: the second round wraps
    const witness = new Witness(lab.memory, lab.pages);
    const rounds = new Rounds(lab, new InlineDriver(), { witness }, takeSorted);
    const pages = (await pagesOf(lab, rounds, 6)).map((round) => round.join());
    assertEquals(new Set(pages).size, 1);
    assertEquals(pages[0], [...lab.plan.sequence].sort((a, b) => a - b).join());
    assertEquals([witness.lost.count, witness.spurious.count, rounds.problems], [0, 0, []]);
  },
);

// The pages of each round's one harvest, in the order taken.
async function pagesOf(lab: RingVm, rounds: Rounds, count: number): Promise<number[][]> {
  const found: number[][] = [];
  for (let n = 0; n < count; n++) {
    const { entries } = await rounds.round();
    assertEquals(entries, lab.plan.sequence.length);
    const { words, length } = lab.tracker.rings[0]!.harvester.taken;
    found.push(Array.from({ length }, (_, entry) => words[entry * 4 + 2]!));
  }
  return found;
}

// A sorter that writes one entry over its neighbour: one page twice, the other not at all.
function losingTake(lab: RingVm, inCopyToo: boolean): Take {
  return (harvester) => {
    const { words } = lab.tracker.rings[0]!.ring;
    const at = (harvester.fetchIndex % harvester.size) * 4;
    const taken = harvester.takeSorted();
    words.copyWithin(at + 5, at + 1, at + 4); // slot and offset, the flags stay
    if (inCopyToo) taken.words.copyWithin(5, 1, 4);
    return taken;
  };
}

testUnless(
  NO_FAULTS,
  "live: a sorter that loses an entry is found out in its own round",
  async () => {
    using lab = makeLab({ ...RANDOM, pages: 40 });
    const witness = new Witness(lab.memory, lab.pages);
    const rounds = new Rounds(lab, new InlineDriver(), { witness }, losingTake(lab, true));
    await rounds.round();
    assertEquals(rounds.problems, [], "the count alone does not tell");
    const second = [...lab.plan.sequence].sort((a, b) => a - b)[1]!;
    assertEquals(lostPages(witness), [lab.pages.name(second)]);
  },
);

testUnless(
  NO_FAULTS,
  "live: a sorter that loses an entry in the ring alone is found out a round later",
  async () => {
    using lab = makeLab({ ...RANDOM, pages: 40 });
    const witness = new Witness(lab.memory, lab.pages);
    const rounds = new Rounds(lab, new InlineDriver(), { witness }, losingTake(lab, false));
    await rounds.round();
    assertEquals(witness.lost.count, 0, "what was taken was right");
    await rounds.round();
    const second = [...lab.plan.sequence].sort((a, b) => a - b)[1]!;
    assertEquals(lostPages(witness), [lab.pages.name(second)]);
  },
);

liveTest("reset() with sorting takes all, and measures it beside the plain way", async () => {
  using lab = makeLab({ ...RANDOM, vcpus: 2, pages: 200 });
  const { passes, sort, ok, problems } = await reset(lab, new InlineDriver(), {
    ...ALL_AT_ONCE,
    sort: true,
  });
  assertEquals([ok, problems, passes.length], [true, [], 1]);
  assertEquals(passes[0]!.rings.map(({ harvested, left }) => [harvested, left]), [
    [100, 0],
    [100, 0],
  ]);
  assertEquals([sort!.plain.entries, sort!.sorted.entries, sort!.emulated], [200, 200, false]);
  assert(sort!.repetitions > 0);
});

liveTest("reset() with sorting sorts the very entries that it then resets", async () => {
  const found: number[] = [];
  const kernel: Kernel = {
    ...LIBC,
    ioctl(fd, request, argument) {
      if (request === KVM_RESET_DIRTY_RINGS && found.length === 0) {
        const { words } = lab.tracker.rings[0]!.ring;
        for (let at = 0; words[at] === 3; at += 4) found.push(words[at + 2]!);
      }
      return LIBC.ioctl(fd, request, argument);
    },
  };
  using lab: RingVm = makeLab({ ...RANDOM, pages: 30 }, kernel);
  await reset(lab, new InlineDriver(), { ...ALL_AT_ONCE, sort: true });
  assertEquals(found, [...lab.plan.sequence].sort((a, b) => a - b));
});

liveTest("reset() with sorting goes on from a ring that is full", async () => {
  using lab = makeLab({ ...RANDOM, pages: SOFT_LIMIT + 20 });
  const { vcpus, sort, ok } = await reset(lab, new InlineDriver(), { ...ALL_AT_ONCE, sort: true });
  assertEquals([ok, vcpus[0]!.done], [true, false]);
  assert(sort!.plain.entries >= SOFT_LIMIT + 20);
});

const FAULTS: readonly Fault[] = ["resets too few", "drops an entry"];
for (const fault of FAULTS) {
  testUnless(NO_FAULTS, `live: sorting hides nothing of a kernel that ${fault}`, async () => {
    using lab = makeLab({}, faultyKernel(LIBC, fault, () => lab.memory));
    using interrupt = new Interrupt();
    const { ok } = await run(lab, interrupt, "auto", true);
    assertEquals(ok, false);
  });
}

function lostPages({ lost }: Witness): readonly PageName[] {
  assertEquals(lost.count, lost.pages.length);
  return lost.pages.map(({ slot, offset, gfn }) => ({ slot, offset, gfn }));
}

const MODEL = { version: "v6.17", pml: false, emulator: false } as const;

Deno.test("an interrupt before the measurement leaves it out", async () => {
  using lab = makeLab({ ...RANDOM, pages: 20 }, openModel(MODEL));
  using interrupt = new Interrupt();
  Deno.kill(Deno.pid, "SIGTERM"); // SIGINT would end the test runner
  while (interrupt.signal === null) await interrupt.pause(true);
  const { interrupted, sort } = await run(lab, interrupt, "auto", true);
  assertEquals([interrupted, sort!.repetitions, sort!.ratio], ["SIGTERM", 0, null]);
  const text = [...sortText(sort!, "kvm", PLAIN_PAGE)].join("");
  assertEquals(text, "\nsorting not measured: the run ended early\n");
});

const SIDE: SortSide = {
  entries: 10,
  batches: 4,
  harvestNsPerEntry: null,
  resetNsPerEntry: null,
  samples: { harvestNsPerEntry: [], resetNsPerEntry: [] },
};
const cost = (harvestNs: number, resetNs: number) => ({ harvestNs, resetNs });

Deno.test("sortCost() takes medians, and the ratio of what they add up to", () => {
  const rows = [
    [cost(4, 90), cost(30, 10)],
    [cost(6, 110), cost(40, 30)],
    [cost(5, 10), cost(35, 20)],
  ];
  const found = sortCost(SIDE, { ...SIDE, batches: 1 }, rows, false);
  assertEquals(found.plain, {
    ...SIDE,
    harvestNsPerEntry: 5,
    resetNsPerEntry: 90,
    samples: { harvestNsPerEntry: [4, 6, 5], resetNsPerEntry: [90, 110, 10] },
  });
  assertEquals(found.sorted.harvestNsPerEntry, 35);
  assertEquals([found.ratio, found.faster, found.repetitions], [95 / 55, 2, 3]);
  assertEquals(sortCost(SIDE, SIDE, [], false).ratio, null);
});

Deno.test("median() is the middle, or the mean of the middle two", () => {
  assertEquals([[], [3], [9, 1], [5, 100, 1]].map(median), [null, 3, 5, 5]);
});

Deno.test("sortText() says whether sorting paid, and what times are worth", () => {
  const lines = (rows: Parameters<typeof sortCost>[2], emulated: boolean) =>
    [...sortText(sortCost(SIDE, SIDE, rows, emulated), "kvm", PLAIN_PAGE)].join("").split("\n");
  assertEquals(lines([[cost(5, 100), cost(25, 10)]], false).slice(1), [
    "sorting in the ring, measured: median of 1 round each, in turn",
    "                           plain   sorted",
    "  harvest, with sorting  5.00 ns  25.0 ns  an entry",
    "  KVM_RESET_DIRTY_RINGS   100 ns  10.0 ns  an entry",
    "  together                105 ns  35.0 ns  an entry",
    "  batches, modelled            4        4  a round",
    "sorting cost 20.0 ns an entry, and the reset saved 90.0 ns an entry: it paid",
    "  together 3 times as fast; sorted was faster in 1 of 1 round",
    "",
  ]);
  assertEquals(lines([[cost(5, 100), cost(25, 110)]], true).slice(7), [
    "  This KVM emulates the guest's stores: each pushes an entry, and there are no guest mappings",
    "  to re-protect, which understates what sorting saves.",
    "sorting cost 20.0 ns an entry, and the reset was no faster for it: it did not pay",
    "  together 1.29 times as slow; sorted was faster in 0 of 1 round",
    "",
  ]);
  assertEquals(
    lines([[cost(25, 100), cost(5, 90)]], false)[7],
    "sorting cost no time, and the reset saved 10.0 ns an entry: it paid",
  );
});

Deno.test("sortText() gives no verdict from times of the model, and counts where none are shown", () => {
  const rows = [[cost(5, 100), cost(25, 110)]];
  const told = (times: boolean, emulated: boolean) =>
    [...sortText(sortCost(SIDE, { ...SIDE, batches: 2 }, times ? rows : [], emulated), "model", {
      ...PLAIN_PAGE,
      times,
    })].join("");
  assert(!/paid|pay|fast|slow/.test(told(true, true)), told(true, true));
  assertStringIncludes(told(true, false), "times of the model");
  assertEquals(
    told(false, true),
    "\nsorting in the ring, by what resets of one round find\n" +
      "                         plain  sorted\n" +
      "  entries                   10      10\n" +
      "  batches, modelled          4       2\n" +
      "  entries a batch, mean   2.50       5\n" +
      "  This KVM emulates the guest's stores: each pushes an entry.\n",
  );
});

Deno.test("--sort is refused beside what leaves entries behind", async () => {
  for (const other of [["--gap", "3"], ["--harvest-first", "3"]]) {
    const { code, stdout, stderr } = await dirtyring(["reset", "--sort", ...other]);
    assertEquals([code, stdout], [2, ""]);
    assertEquals(stderr, `dirtyring: --sort and ${other.join(" ")}: expected one of them\n`);
  }
});
