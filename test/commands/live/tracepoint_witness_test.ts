// The witness of `live --witness`: harvested entries are compared with the kernel's own counts.
// Harvesters that lose something, and counts that are off by one, must be noticed.
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import {
  type Counted,
  type HarvestCounts,
  pushesOf,
  TraceWitness,
  witnessProblems,
} from "../../../commands/live/tracepoint_witness.ts";
import type { LiveVcpus } from "../../../drive/live_vcpus.ts";
import { startVcpus } from "../../../drive/start_vcpus.ts";
import { VcpuThreads } from "../../../drive/vcpu_threads.ts";
import { ERRNO, HostError, KernelError } from "../../../ffi/errors.ts";
import type { Kernel } from "../../../ffi/kernel.ts";
import { KVM_RESET_DIRTY_RINGS } from "../../../ffi/kvm_ioctls.ts";
import { THIS_THREAD } from "../../../kvm/tracepoint.ts";
import type { RingVm } from "../../../machine/guest_vm.ts";
import { openModel } from "../../../model/model_kernel.ts";
import type { Harvester } from "../../../ring/harvest.ts";
import { makeLab } from "../../support/labs.ts";
import { LIBC } from "../../support/libc.ts";
import { liveTest, SOFT_LIMIT } from "../../support/live.ts";
import { hiding, tracedTest } from "../../support/tracing.ts";

const MODEL = { version: "v6.17", pml: false, emulator: false } as const;
const RANDOM = { guest: "long64", text: "random", vcpus: 2, memory: 8 << 20 } as const;

const KERNELS = [["a real kernel", LIBC], ["the model", openModel(MODEL)]] as const;

type Take = (harvester: Harvester, id: number) => number;
const takeAll: Take = (harvester) => harvester.take().length;

/**
 * Runs all vCPUs to their ends, with a harvest at each full ring and a last one; answers what it
 * counted.
 */
function runThrough(lab: RingVm, vcpus: LiveVcpus, take: Take, kicks: boolean): HarvestCounts {
  const entries = lab.vcpus.map(() => 0);
  const fullExits = lab.vcpus.map(() => 0);
  let resets = 0;
  const reap = (ids: readonly number[]) => {
    for (const id of ids) entries[id]! += take(lab.tracker.rings[id]!.harvester, id);
    lab.vm.resetDirtyRings();
    resets++;
  };
  const going = new Set(lab.vcpus.keys());
  for (const id of going) vcpus.resume(id);
  while (going.size > 0) {
    if (kicks) vcpus.stop();
    else vcpus.wait(1000);
    for (const id of going) {
      const kind = vcpus.stopOf(id)?.kind;
      if (kind === undefined) continue;
      if (kind === "full") {
        fullExits[id]!++;
        reap([id]);
      }
      if (kind === "done") going.delete(id);
      else if (kind === "full" || kind === "asked") vcpus.resume(id);
      else throw new Error(`vCPU ${id} stopped: ${kind}`);
    }
  }
  reap(lab.vcpus.map((_, id) => id));
  return { entries, fullExits, resets };
}

/**
 * A run on threads, or in slices on the model, that is witnessed; the witness is the caller's to
 * close.
 */
async function witnessed(
  lab: RingVm,
  options: { readonly stores?: number; readonly take?: Take; readonly kicks?: boolean } = {},
): Promise<{ readonly witness: TraceWitness; readonly counts: HarvestCounts }> {
  const { stores = 5 * SOFT_LIMIT, take = takeAll, kicks = false } = options;
  await using vcpus = await startVcpus(lab, { quotas: lab.vcpus.map(() => stores) });
  const tids = vcpus instanceof VcpuThreads ? vcpus.tids : lab.vcpus.map(() => THIS_THREAD);
  const watched = lab.vcpus.map(({ vcpu }, id) => ({ vcpu, tid: tids[id]! }));
  const witness = TraceWitness.open(lab.vm, watched);
  // The threads end with this function; what was counted on them stays.
  return { witness, counts: runThrough(lab, vcpus, take, kicks) };
}

for (const guest of ["long64", "real16"] as const) {
  tracedTest(`TraceWitness agrees with a harvest of ${guest} guests on threads`, async () => {
    using lab = makeLab({ ...RANDOM, guest, pages: 2000 });
    const { witness, counts } = await witnessed(lab);
    using _witness = witness;
    const result = witness.result(counts);
    assertEquals(result.problems, []);
    assertEquals([result.ok, result.source], [true, "tracepoints"]);
    assertEquals(result.walks, 2 * counts.resets);
    for (const [id, vcpu] of result.vcpus.entries()) {
      assertEquals([vcpu.vcpu, vcpu.pushes], [id, counts.entries[id]]);
      assertEquals([vcpu.dirtyIndex, vcpu.resetIndex], [vcpu.pushes, vcpu.pushes]);
      assertEquals(vcpu.ringFullExits! > 1, true);
      assertEquals(vcpu.ringFullExits, counts.fullExits[id]);
    }
  });
}

tracedTest("TraceWitness agrees with vCPUs that are kicked again and again", async () => {
  using lab = makeLab({ ...RANDOM, pages: 2000 });
  const { witness, counts } = await witnessed(lab, { kicks: true });
  using _witness = witness;
  const result = witness.result(counts);
  assertEquals([result.problems, result.ok], [[], true]);
  assertEquals(result.vcpus.every(({ fullExits }) => fullExits > 1), true);
});

tracedTest("TraceWitness tells vCPUs apart that take turns on one thread", () => {
  using lab = makeLab({ ...RANDOM, pages: 200, vcpus: 3 });
  using witness = TraceWitness.open(
    lab.vm,
    lab.vcpus.map(({ vcpu }) => ({ vcpu, tid: THIS_THREAD })),
  );
  const stores = [40, 0, 27];
  const entries = lab.vcpus.map(({ vcpu, first }, id) => {
    lab.begin(id, first, stores[id]!);
    if (stores[id]! > 0) vcpu.run();
    return lab.tracker.rings[id]!.harvester.take().length;
  });
  lab.vm.resetDirtyRings();
  const harvest = { entries, fullExits: [0, 0, 0], resets: 1 };
  const result = witness.result(harvest);
  assertEquals([result.ok, result.walks], [true, 3]);
  assertEquals(result.vcpus.map(({ pushes }) => pushes), entries);
  // Asked again, it does not count the resets that it makes itself.
  assertEquals(witness.result(harvest), result);
});

for (const [name, kernel] of KERNELS) {
  const test = kernel === LIBC ? tracedTest : Deno.test;
  test(`TraceWitness on ${name} begins to count where the rings are`, () => {
    using lab = makeLab({ ...RANDOM, pages: 100, vcpus: 1 }, kernel);
    const { vcpu } = lab.vcpus[0]!;
    const { harvester } = lab.tracker.rings[0]!;
    const watched = [{ vcpu, tid: THIS_THREAD }];
    const run = (stores: number) => {
      lab.begin(0, 0, stores);
      vcpu.run();
    };
    run(30);
    assertThrows(
      () => TraceWitness.open(lab.vm, watched),
      TypeError,
      "Cannot begin to count while ring 0 holds 30 entries",
    );
    harvester.take();
    lab.vm.resetDirtyRings();
    using witness = TraceWitness.open(lab.vm, watched);
    run(50);
    const early = witness.result({ entries: [0], fullExits: [0], resets: 0 });
    const said = "the kernel pushed 50 entries, 0 were harvested: 50 missing, 50 still in the ring";
    assertEquals([early.ok, early.problems], [false, [`vCPU 0: ${said}`]]);
    harvester.take();
    lab.vm.resetDirtyRings();
    const { ok, vcpus } = witness.result({ entries: [50], fullExits: [0], resets: 1 });
    assertEquals([ok, vcpus], [true, [{
      vcpu: 0,
      pushes: 50,
      entries: 50,
      fullExits: 0,
      dirtyIndex: 80,
      resetIndex: 80,
      ringFullExits: kernel === LIBC ? 0 : null,
    }]]);
  });
}

tracedTest("TraceWitness notices a harvest that is not reset in the end", () => {
  using lab = makeLab({ ...RANDOM, pages: 100, vcpus: 1 });
  const { vcpu } = lab.vcpus[0]!;
  const { harvester } = lab.tracker.rings[0]!;
  using witness = TraceWitness.open(lab.vm, [{ vcpu, tid: THIS_THREAD }]);
  lab.begin(0, 0, 30);
  vcpu.run();
  const { length } = harvester.take();
  const { problems } = witness.result({ entries: [length], fullExits: [0], resets: 0 });
  assertEquals(problems, ["30 entries were harvested, but not reset in the end"]);
});

Deno.test("TraceWitness agrees with a harvest of the model, by its indices", async () => {
  using lab = makeLab({ ...RANDOM, pages: 1000, ringBytes: 4096 }, openModel(MODEL));
  const { witness, counts } = await witnessed(lab, { stores: 1000 });
  using _witness = witness;
  const result = witness.result(counts);
  assertEquals([result.ok, result.source, result.walks], [true, "model", null]);
  for (const [id, vcpu] of result.vcpus.entries()) {
    assertEquals([vcpu.pushes, vcpu.resetIndex], [counts.entries[id], counts.entries[id]]);
    assertEquals([vcpu.ringFullExits, vcpu.fullExits > 0], [null, true]);
  }
});

// vCPU 1's harvest marks one entry that it does not hand on.
function droppingTake(): Take {
  let isDropped = false;
  return (harvester, id) => {
    const taken = takeAll(harvester, id);
    if (isDropped || id === 0 || taken === 0) return taken;
    isDropped = true;
    return taken - 1;
  };
}

for (const [name, kernel] of KERNELS) {
  const test = kernel === LIBC ? tracedTest : Deno.test;
  test(`TraceWitness on ${name} notices a harvest that drops an entry`, async () => {
    using lab = makeLab({ ...RANDOM, pages: 1000 }, kernel);
    const { witness, counts } = await witnessed(lab, { take: droppingTake() });
    using _witness = witness;
    const result = witness.result(counts);
    const entries = counts.entries[1]!;
    assertEquals([result.ok, result.problems], [false, [
      `vCPU 1: the kernel pushed ${entries + 1} entries, ${entries} were harvested: 1 missing`,
      `vCPU 1: reset_index moved by ${entries + 1}, but ${entries} entries were harvested`,
    ]]);
  });
}

const off = (name: keyof HarvestCounts, by: number) => (counts: HarvestCounts): HarvestCounts => ({
  ...counts,
  [name]: name === "resets" ? counts.resets + by : [counts[name][0]! + by, counts[name][1]!],
});
const WRONG: readonly (readonly [string, (counts: HarvestCounts) => HarvestCounts, RegExp])[] = [
  ["an entry too many", off("entries", 1), /^vCPU 0: the kernel pushed .* 1 never pushed$/],
  ["an entry too few", off("entries", -1), /^vCPU 0: the kernel pushed .* 1 missing$/],
  [
    "a full exit too few",
    off("fullExits", -1),
    /^vCPU 0: the kernel refused \d+ guest entries with a full ring .* such exits were seen$/,
  ],
  [
    "a full exit too many",
    off("fullExits", 1),
    /^vCPU 0: the kernel refused \d+ guest entries with a full ring .* such exits were seen$/,
  ],
  ["a reset too few", off("resets", -1), /^\d+ resets walk \d+ rings of 2 vCPUs, but the kernel/],
  ["a reset too many", off("resets", 1), /^\d+ resets walk \d+ rings of 2 vCPUs, but the kernel/],
];
tracedTest("TraceWitness notices a harvester that counts wrong by one", async () => {
  using lab = makeLab({ ...RANDOM, pages: 1000 });
  const { witness, counts } = await witnessed(lab);
  using _witness = witness;
  assertEquals(witness.result(counts).problems, []);
  for (const [name, wrong, problem] of WRONG) {
    const { ok, problems } = witness.result(wrong(counts));
    assertEquals([name, ok, problem.test(problems[0]!)], [name, false, true]);
  }
});

tracedTest("TraceWitness notices a reset that it was not told of", () => {
  using lab = makeLab(RANDOM);
  using witness = TraceWitness.open(
    lab.vm,
    lab.vcpus.map(({ vcpu }) => ({ vcpu, tid: THIS_THREAD })),
  );
  lab.vm.ioctl(KVM_RESET_DIRTY_RINGS);
  const { problems } = witness.result({ entries: [0, 0], fullExits: [0, 0], resets: 0 });
  assertEquals(problems, [
    "0 resets walk 0 rings of 2 vCPUs, but the kernel walked 2 (kvm_dirty_ring_reset)",
  ]);
});

// Numbers that no test could bring about: a ring that has gone round the 32 bits of its indices.
const BEFORE = 2 ** 32 - 10;
function counted(pushes: number | null, dirtyIndex: number, resetIndex = dirtyIndex): Counted {
  const before = { dirtyIndex: BEFORE, resetIndex: BEFORE };
  const after = { dirtyIndex, resetIndex };
  const vcpu = { vcpu: 0, before, after, pushes, ringFullExits: pushes === null ? null : 0 };
  return { vcpus: [vcpu], walks: null, notReset: 0 };
}
const harvested = (entries: number) => ({ entries: [entries], fullExits: [0], resets: 1 });

Deno.test("witnessProblems() sees free-running indices go round", () => {
  const found = (one: Counted, entries: number) => witnessProblems(one, harvested(entries));
  assertEquals(found(counted(15, 5), 15), []);
  assertEquals(found(counted(null, 5), 15), []);
  const once = 2 ** 32 + 15;
  assertEquals(found(counted(once, 5), once), []);
  assertEquals(found(counted(null, 5), once), []);
  assertEquals(found(counted(once, 5), 15), [
    `vCPU 0: the kernel pushed ${once} entries, 15 were harvested: ${2 ** 32} missing`,
  ]);
  assertEquals(found(counted(15, 6, 5), 15), [
    "vCPU 0: dirty_index moved by 16, but 15 pushes were traced",
  ]);
  assertEquals(found(counted(null, 5), 14), [
    "vCPU 0: the kernel pushed 15 entries, 14 were harvested: 1 missing",
    "vCPU 0: reset_index moved by 15, but 14 entries were harvested",
  ]);
});

Deno.test("pushesOf() takes the model's index for the number nearest to the harvest", () => {
  const pushes = (entries: number) => pushesOf(counted(null, 5).vcpus[0]!, entries);
  assertEquals([15, 14, 16, 2 ** 32 + 16].map(pushes), [15, 15, 15, 2 ** 32 + 15]);
});

liveTest("TraceWitness.open() says what is missing, and closes what it opened", () => {
  using lab = makeLab({}, hiding("/sys/kernel", ERRNO.ENOENT));
  const open = (tid: number) =>
    TraceWitness.open(lab.vm, lab.vcpus.map(({ vcpu }) => ({ vcpu, tid })));
  const { message } = assertThrows(() => open(THIS_THREAD), HostError);
  assertStringIncludes(message, "witness: tracefs is not mounted: there is no /sys/kernel/tra");
});

tracedTest("TraceWitness closes all that it opened, also where a thread is no more", () => {
  const open = new Set<number>();
  const kernel: Kernel = {
    ...LIBC,
    perfEventOpen(attr, tid) {
      const fd = LIBC.perfEventOpen(attr, tid);
      if (fd >= 0) open.add(fd);
      return fd;
    },
    close(fd) {
      open.delete(fd);
      return LIBC.close(fd);
    },
  };
  using lab = makeLab(RANDOM, kernel);
  const watched = (tid: number) => lab.vcpus.map(({ vcpu }) => ({ vcpu, tid }));
  const noSuch = 2 ** 22 + 1; // above what kernel.pid_max can be
  assertThrows(() => TraceWitness.open(lab.vm, watched(noSuch)), KernelError, "ESRCH");
  assertEquals(open.size, 0);
  const witness = TraceWitness.open(lab.vm, watched(LIBC.gettid()));
  assertEquals(open.size, 2 * 2 + 2);
  witness[Symbol.dispose]();
  assertEquals(open.size, 0);
});
