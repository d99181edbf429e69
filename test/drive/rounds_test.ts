import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { dump } from "../../commands/dump/dump.ts";
import { reset } from "../../commands/reset/reset.ts";
import { InlineDriver } from "../../drive/inline_driver.ts";
import { run, stats } from "../../drive/story.ts";
import { KernelError } from "../../ffi/errors.ts";
import { GuestError, LimitError, UsageError } from "../../host/errors.ts";
import { Interrupt } from "../../host/interrupt.ts";
import { ringVm } from "../../machine/guest_vm.ts";
import { planLab } from "../../machine/plan.ts";
import { type Fault, faultyKernel } from "../support/faulty_kernel.ts";
import { labOptions, makeLab } from "../support/labs.ts";
import { LIBC } from "../support/libc.ts";
import { liveTest, NO_FAULTS, RING_ENTRIES, SOFT_LIMIT, testUnless } from "../support/live.ts";

const EVERYTHING = { vcpu: undefined, all: false };
const ALL_AT_ONCE = { harvestFirst: undefined, gap: undefined };

testUnless(
  NO_FAULTS,
  "live: dump() shows the pattern's pages in order, in their slots",
  async () => {
    using lab = makeLab({ slots: 3, text: "pingpong", pages: 6 });
    const { rings, slots, ok } = await dump(lab, new InlineDriver(), EVERYTHING);
    const [ring] = rings;
    assertEquals([ring!.exit, ring!.done, ok], ["KVM_EXIT_HLT", true, true]);
    assertEquals(ring!.entries.map(({ slot, offset }) => [slot, offset]), [
      ...[[1, 0], [3, 0], [1, 1], [3, 1], [1, 2], [3, 2]],
    ]);
    assertEquals(ring!.entries[1]!.gfn, slots[3]!.gfn);
  },
);

testUnless(
  NO_FAULTS,
  "live: dump() gives each vCPU its block, the first ones one store more",
  async () => {
    using lab = makeLab({ vcpus: 3, pages: 8 });
    const { rings } = await dump(lab, new InlineDriver(), EVERYTHING);
    const offsets = rings.map(({ entries }) => entries.map(({ offset }) => offset));
    assertEquals(offsets, [[0, 1, 2], [3, 4, 5], [6, 7]]);
  },
);

liveTest("dump() of a ring that fills up stops there and says so", async () => {
  using lab = makeLab({ pages: RING_ENTRIES + 8, memory: 8 << 20 });
  const { rings, ok } = await dump(lab, new InlineDriver(), EVERYTHING);
  const [ring] = rings;
  assertEquals([ring!.exit, ring!.done, ok], ["KVM_EXIT_DIRTY_RING_FULL", false, true]);
  const found = ring!.entries.length;
  assert(found >= SOFT_LIMIT && found <= RING_ENTRIES, `${found}`);
  const stored = lab.plan.sequence.filter((page) => lab.memory[page * 1024] !== 0).length;
  assertEquals(ring!.stores, stored);
});

liveTest("guest memory tells which vCPU stored, and in which order", async () => {
  using lab = makeLab({ vcpus: 2, pages: 8 });
  await dump(lab, new InlineDriver(), EVERYTHING);
  const values = Array.from({ length: 8 }, (_, page) => lab.memory[page * 1024]!);
  assertEquals(values.map((value) => value & 1), [0, 0, 0, 0, 1, 1, 1, 1]);
  assertEquals(values.map((value) => value >>> 1), [1, 2, 3, 4, 1, 2, 3, 4]);
});

liveTest("reset() takes all that was harvested", async () => {
  using lab = makeLab({ vcpus: 2, pages: 20 });
  const { passes, ok } = await reset(lab, new InlineDriver(), ALL_AT_ONCE);
  assertEquals([passes.length, passes[0]!.reset, ok], [1, 20, true]);
  assertEquals(passes[0]!.rings[1], {
    vcpu: 1,
    dirty: 10,
    harvested: 10,
    reset: 10,
    left: 0,
    stoppedAt: null,
    kernelState: null,
  });
});

liveTest(
  "reset() stops at a gap, and once that is harvested the run behind it is reset",
  async () => {
    using lab = makeLab({ pages: 20 });
    const { passes, ok } = await reset(lab, new InlineDriver(), { ...ALL_AT_ONCE, gap: 5 });
    assertEquals(ok, true);
    assertEquals(passes.map(({ reset, rings }) => [reset, rings[0]!.left, rings[0]!.stoppedAt]), [
      [5, 15, 5],
      [15, 0, null],
    ]);
  },
);

liveTest(
  "reset() of a partial harvest leaves the rest, and a second harvest takes it",
  async () => {
    using lab = makeLab({ vcpus: 2, pages: 20 });
    const { passes } = await reset(lab, new InlineDriver(), { ...ALL_AT_ONCE, harvestFirst: 3 });
    assertEquals(passes.map(({ reset, rings }) => [reset, rings.map(({ left }) => left)]), [
      [6, [7, 7]],
      [14, [0, 0]],
    ]);
  },
);

liveTest("reset() refuses a gap that a ring does not hold", async () => {
  using lab = makeLab({ vcpus: 2, pages: 7 });
  await assertRejects(
    () => reset(lab, new InlineDriver(), { ...ALL_AT_ONCE, gap: 3 }),
    UsageError,
    "gap 3: vCPU 1's ring holds 3 entries; expected 0 to 2",
  );
});

liveTest("run() makes every store, through full rings, and finds nothing lost", async () => {
  using lab = makeLab({
    vcpus: 2,
    memory: 16 << 20,
    pages: 3000,
    rounds: 3,
    text: "random",
    slots: 5,
  });
  using interrupt = new Interrupt();
  const result = await run(lab, interrupt, "auto");
  assertEquals([result.ok, result.problems, result.lost.count], [true, [], 0]);
  assertEquals(result.rounds.map(({ stores }) => stores), [3000, 3000, 3000]);
  for (const { entries, reset, fullExits, resets } of result.rounds) {
    assert(entries >= 3000 && entries === reset && fullExits > 0 && resets === fullExits + 1);
  }
  const { rings, total } = result.stats;
  assertEquals(rings.map(({ vcpu }) => vcpu), [0, 1]);
  assertEquals(total.entries, result.rounds.reduce((sum, { entries }) => sum + entries, 0));
  assertEquals(total.windows, 2 * result.rounds.reduce((sum, { resets }) => sum + resets, 0));
});

liveTest("run() goes round a ring many times", async () => {
  using lab = makeLab({ pages: 3000, text: "hot:7" });
  using interrupt = new Interrupt();
  const { ok, rounds } = await run(lab, interrupt, "auto");
  assertEquals([ok, rounds[0]!.stores], [true, 3000]);
});

liveTest("stats() measures the pattern beside the sequential one", async () => {
  using lab = makeLab({ pages: 100, text: "random" });
  using interrupt = new Interrupt();
  const result = await stats(lab, interrupt, "v5.11");
  const { measured, total, rule } = result;
  assertEquals([rule, total.calls], ["v5.11", total.batches + 1]);
  assert(measured.repetitions >= 3 && measured.resetNsPerEntry! > 0);
  assert(measured.sequentialResetNsPerEntry! > 0);
});

const FAULTS: readonly (readonly [Fault, string])[] = [
  ["resets too few", "KVM_RESET_DIRTY_RINGS returned 15, but 16 entries were harvested"],
  ["is full without an entry", "its ring brought no entry"],
];

for (const [fault, message] of FAULTS) {
  liveTest(`run() notices a kernel that ${fault}`, async () => {
    using lab = makeLab({}, faultyKernel(LIBC, fault, () => lab.memory));
    using interrupt = new Interrupt();
    const { ok, problems } = await run(lab, interrupt, "auto");
    assertEquals([ok, problems.some((problem) => problem.includes(message))], [false, true]);
  });
}

testUnless(
  NO_FAULTS,
  "live: run(), reset() and dump() name the page that a kernel loses",
  async () => {
    const page = { slot: 1, offset: 15, gfn: 18, vcpu: 0, counter: 16, read: null };
    const lost = { count: 1, pages: [{ ...page, cause: "never harvested" as const }] };
    {
      using lab = makeLab({}, faultyKernel(LIBC, "drops an entry", () => lab.memory));
      using interrupt = new Interrupt();
      const result = await run(lab, interrupt, "auto");
      assertEquals([result.ok, result.lost], [false, lost]);
    }
    {
      using lab = makeLab({}, faultyKernel(LIBC, "drops an entry", () => lab.memory));
      const result = await dump(lab, new InlineDriver(), EVERYTHING);
      assertEquals([result.ok, result.lost], [false, lost]);
    }
    {
      using lab = makeLab({}, faultyKernel(LIBC, "drops an entry", () => lab.memory));
      const result = await reset(lab, new InlineDriver(), ALL_AT_ONCE);
      assertEquals([result.ok, result.lost], [false, lost]);
    }
  },
);

liveTest("run() notices a store to a page that was read already", async () => {
  using lab = makeLab({}, faultyKernel(LIBC, "stores without an entry", () => lab.memory));
  using interrupt = new Interrupt();
  const { ok, lost } = await run(lab, interrupt, "auto");
  const [page] = lost.pages;
  assertEquals([ok, lost.count, page?.gfn, page?.cause], [false, 1, 3, "read before reset"]);
});

liveTest("a guest that stops in an unexpected way is named, with its exit", async () => {
  using lab = makeLab({}, faultyKernel(LIBC, "shuts down", () => lab.memory));
  await assertRejects(
    () => dump(lab, new InlineDriver(), EVERYTHING),
    GuestError,
    "vCPU 0 stopped with KVM_EXIT_SHUTDOWN",
  );
});

liveTest("GuestVm refuses more vCPUs or slots than the kernel reports", () => {
  assertThrows(
    () => makeLab({ vcpus: 100_000, pages: 1 }),
    LimitError,
    "vcpus 100000: this kernel",
  );
  const slots = { memory: 2 ** 30, slots: 100_000 };
  assertThrows(() => makeLab(slots), LimitError, "slots 100000: this kernel");
});

liveTest("GuestVm reports a ring size that the kernel refuses, with what it takes", () => {
  const error = assertThrows(() => makeLab({ ringBytes: 80000 }), KernelError);
  assert(error.message.startsWith("KVM_ENABLE_CAP(KVM_CAP_DIRTY_LOG_RING, 80000): EINVAL"));
  assertThrows(() => makeLab({ ringBytes: 2 ** 31 }), KernelError, "E2BIG");
});

liveTest("GuestVm gives everything back where memory cannot be mapped", () => {
  const open = fds();
  const kernel = {
    ...LIBC,
    mmap: (...args: Parameters<typeof LIBC.mmap>) => args[0] >= 1 << 20 ? -12 : LIBC.mmap(...args),
  };
  const plan = planLab(labOptions());
  assertThrows(() => ringVm(kernel, plan), KernelError, "ENOMEM");
  assertEquals(fds(), open);
});

function count(path: string): number {
  return [...Deno.readDirSync(path)].length;
}

function fds(): number {
  return count("/proc/self/fd");
}

function mappings(): number {
  // KVM's own mappings and anonymous guest memory; the heap of the engine comes and goes.
  const maps = Deno.readTextFileSync("/proc/self/maps").split("\n");
  return maps.filter((line) => line.includes("kvm") || line.endsWith(" 0 ")).length;
}

liveTest("100 labs made and disposed leave no fd, no mapping and no thread behind", async () => {
  const once = async () => {
    using lab = makeLab({ vcpus: 2, pages: 40 });
    using interrupt = new Interrupt();
    await dump(lab, new InlineDriver(interrupt), EVERYTHING);
  };
  await once(); // what Deno sets up once for signals
  const before = [fds(), mappings(), count("/proc/self/task")];
  const kvm = () =>
    Deno.readTextFileSync("/proc/self/maps").split("\n")
      .filter((line) => line.includes("anon_inode:kvm")).length;
  for (let n = 0; n < 100; n++) await once();
  assertEquals([fds(), kvm()], [before[0]!, 0]);
  // The engine's own helpers may come and go; a hundred leaks would not hide among them.
  assert(Math.abs(count("/proc/self/task") - before[2]!) < 10);
  assert(mappings() - before[1]! < 50, `${mappings()} mappings, ${before[1]} before`);
});
