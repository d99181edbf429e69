// Replicas of running guests: they are equal at the end with every way to track dirty pages, and
// differ if a tracker is broken.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { CheckpointResult } from "../../../commands/checkpoint/checkpoint_result.ts";
import { quotas } from "../../../drive/live_vcpus.ts";
import type { Kernel } from "../../../ffi/kernel.ts";
import type { GuestVm } from "../../../machine/guest_vm.ts";
import { DirtySet } from "../../../memory/page_sets.ts";
import { openModel } from "../../../model/model_kernel.ts";
import { allocateEntries, entriesOf, LoggedPages } from "../../../ring/entry.ts";
import { CopiesBeforeRearming, DropsAPage, FindsNothing } from "../../support/broken_trackers.ts";
import {
  keep,
  type KeepChanges,
  model,
  TRACKINGS,
  untilAllStored,
} from "../../support/checkpoints.ts";
import { faultyKernel } from "../../support/faulty_kernel.ts";
import { LIBC } from "../../support/libc.ts";
import { liveTest, RING_BYTES, SOFT_LIMIT } from "../../support/live.ts";
import { MadeUpInterrupt } from "../../support/live_runs.ts";

const GUESTS = ["real16", "long64"] as const;

function assertEqual(result: CheckpointResult): void {
  const { ok, equal, slot0Equal, error, problems, differing } = result;
  assertEquals([ok, equal, slot0Equal, error, problems], [true, true, true, null, []]);
  assertEquals(differing, { count: 0, pages: [] });
}

Deno.test("DirtySet holds each page once, names strays, and forgets all of them", () => {
  const logged = new LoggedPages([
    { id: 0, addressSpace: 0, gfn: 0, pages: 3, logged: false },
    { id: 1, addressSpace: 0, gfn: 3, pages: 40, logged: true },
    { id: 2, addressSpace: 0, gfn: 43, pages: 10, logged: true },
  ]);
  const dirty = new DirtySet(logged.total);
  assertEquals(dirty.addEntries(entriesOf([[2, 9], [1, 0], [2, 9], [1, 39]]), logged), 0);
  assertEquals(dirty.addEntries(entriesOf([[2, 10], [0, 0], [3, 0], [1, 2n ** 32n]]), logged), 4);
  assertEquals([dirty.count, [...dirty.sorted()]], [3, [0, 39, 49]]);
  dirty.clear();
  assertEquals([dirty.count, dirty.addEntries(allocateEntries(4), logged)], [0, 0]);
  dirty.add(49);
  assertEquals([...dirty.sorted()], [49]);
});

Deno.test("quotas() shares stores out between those who can make some", () => {
  const vcpus = [{ stores: 1 }, { stores: 0 }, { stores: 9 }];
  assertEquals([quotas(vcpus, 5), quotas(vcpus, null)], [[3, 0, 2], [Infinity, 0, Infinity]]);
});

for (const tracking of TRACKINGS) {
  for (const guest of GUESTS) {
    const name = `checkpoint() keeps an equal replica with a ${tracking} and ${guest}`;
    const once = (kernel: Kernel) => keep({ guest, tracking, slots: 3 }, kernel);
    Deno.test(`${name}, on the model`, async () => {
      const result = await once(model());
      assertEqual(result);
      assertEquals(result.epochs.map(({ endedBy }) => endedBy), Array(3).fill("interval"));
      assert(result.epochs.every(({ dirtyPages }) => dirtyPages > 100));
      assertEquals(
        result.summary.bytes,
        4096 * result.epochs.reduce((n, e) => n + e.dirtyPages, 0),
      );
    });
    liveTest(name, async () => assertEqual(await once(LIBC)));
  }
}

Deno.test("checkpoint() on the model is the same every time but for the times of pauses", async () => {
  const once = async () =>
    (await keep({ guest: "long64" }, model())).epochs.map((epoch) =>
      Object.entries(epoch).filter(([name]) => name === "ranNs" || !name.endsWith("Ns"))
    );
  assertEquals(await once(), await once());
});

Deno.test("checkpoint() with PML misses nothing: a stop flushes what the processor noted", async () => {
  const kernel = openModel({ version: "latest", pml: true, emulator: false });
  assertEqual(await keep({ guest: "long64", ringBytes: 16384 }, kernel));
});

Deno.test("checkpoint() parts a pause into its steps", async () => {
  const { epochs, summary } = await keep({}, model());
  for (const epoch of epochs) {
    const { pauseNs, stopNs, waitNs, learnNs, rearmNs, copyNs, stateNs, resumeNs } = epoch;
    const parts = stopNs + waitNs + learnNs + rearmNs + copyNs + stateNs + resumeNs;
    assert(Math.abs(parts - pauseNs) < 10, `${parts} of ${pauseNs}`); // each is rounded
    assertEquals([epoch.writeNs, epoch.fileBytes], [null, null]);
  }
  const { overall, median } = summary.copyShare;
  assert(overall! > 0 && overall! < 1 && median! > 0 && median! < 1);
});

const HOUR_MS = 3_600_000;
// More pages than a ring has room for.
const FULL: KeepChanges = { guest: "long64", memory: 8 << 20, pages: 2000 };

for (const [kernel, test] of [[model, Deno.test], [() => LIBC, liveTest]] as const) {
  test("checkpoint() empties a full ring in mid-epoch, and its vCPU runs on", async () => {
    // However fast stores are: as many as fill rings up again and again, in one epoch that they
    // end.
    const stores = 2 * FULL.pages!;
    const result = await keep(
      { ...FULL, ringBytes: RING_BYTES, stores, intervalMs: HOUR_MS },
      kernel(),
    );
    assertEqual(result);
    const { dirtyPages, fullExits, endedBy } = result.epochs[0]!;
    assertEquals([result.epochCount, endedBy], [1, "stores"]);
    assert(fullExits > 1 && dirtyPages > 2 * SOFT_LIMIT, `${fullExits}, ${dirtyPages}`);
    assertEquals(result.summary.fullExits, result.epochs.reduce((n, e) => n + e.fullExits, 0));
  });

  test("checkpoint() ends an epoch at the most dirty pages, and tells the overshoot", async () => {
    const limits = { maxDirty: 300, intervalMs: 60_000 };
    const result = await keep({ ...FULL, ringBytes: RING_BYTES, ...limits }, kernel());
    assertEqual(result);
    for (const { endedBy, dirtyPages, overshoot } of result.epochs) {
      assertEquals([endedBy, overshoot], ["max-dirty", dirtyPages - 300]);
      // What a full ring holds, for each vCPU, is the most that can come after the last look.
      assert(dirtyPages >= 300 && dirtyPages <= 300 + 2 * RING_BYTES / 16);
    }
    assertEquals(result.summary.figures.overshoot.count, 3);
  });

  test("checkpoint() ends when all stores are made, and counts them", async () => {
    const result = await keep({ guest: "long64", stores: 50_001 }, kernel());
    assertEqual(result);
    assertEquals([result.stores, result.epochs.at(-1)!.endedBy], [50_001, "stores"]);
  });

  test("checkpoint() ends after its time", async () => {
    const result = await keep({ durationMs: 12, epochs: null }, kernel());
    assertEqual(result);
    assertEquals(result.epochs.at(-1)!.endedBy, "duration");
  });
}

liveTest(
  "checkpoint() tells a ring that was reset meanwhile from one that overflowed",
  async () => {
    // Both rings fill up at about the same time, and each harvest and reset is of both.
    const changes: KeepChanges = { ...FULL, ringBytes: RING_BYTES, pages: 8000, maxDirty: 500 };
    const result = await keep({ ...changes, intervalMs: 60_000, epochs: 40 }, LIBC);
    assertEqual(result);
    assertEquals(result.epochs.filter(({ endedBy }) => endedBy !== "max-dirty"), []);
  },
);

Deno.test("checkpoint() lets dirty pages pass the limit at an epoch's end, and says so", async () => {
  const { epochs } = await keep(
    { ...FULL, maxDirty: 1, ringBytes: RING_BYTES, intervalMs: 1 },
    model(),
  );
  for (const { dirtyPages, overshoot } of epochs) assertEquals(overshoot, dirtyPages - 1);
});

Deno.test("checkpoint() ends at an interrupt with a last epoch, and compares", async () => {
  const interrupt = new MadeUpInterrupt();
  const watch = ({ epoch }: { epoch: number }) => {
    if (epoch === 2) interrupt.signal = "SIGTERM";
    return true;
  };
  const result = await keep({ interrupt, watch, epochs: null }, model());
  assertEqual(result);
  assertEquals([result.interrupted, result.epochCount], ["SIGTERM", 3]);
  assertEquals(result.epochs[2]!.endedBy, "interrupt");
});

Deno.test("checkpoint() ends where nobody reads its epochs any more", async () => {
  const result = await keep({ watch: ({ epoch }) => epoch < 2, epochs: null }, model());
  assertEqual(result);
  assertEquals([result.closed, result.epochCount, result.epochs[2]!.endedBy], [true, 3, "closed"]);
});

Deno.test("checkpoint() says how a vCPU failed, and closes the epoch", async () => {
  const prepare = (vm: GuestVm) => vm.slot0.set([0x0f, 0x0b], vm.plan.guest.codeAt + 2);
  const result = await keep({ prepare }, model());
  assertStringIncludes(result.error!, "vCPU 0 stopped with KVM_EXIT_INTERNAL_ERROR");
  assertEquals([result.ok, result.equal, result.epochs.at(-1)!.endedBy], [true, true, "error"]);
});

for (const program of ["thread_throws.ts", "thread_closes.ts"]) {
  liveTest(
    `checkpoint() notices that a vCPU's thread is gone, and compares (${program})`,
    async () => {
      const thread = new URL(program, new URL("./../../support/", import.meta.url));
      const result = await keep({ thread, durationMs: 60_000, epochs: null }, LIBC);
      assertMatch(result.error!, /^vCPU [01] runs no more: /);
      assertEquals([result.ok, result.equal, result.stores], [true, true, 0]);
      assertEquals(result.epochs.at(-1)!.endedBy, "error");
    },
  );
}

for (const [kernel, test] of [[model, Deno.test], [() => LIBC, liveTest]] as const) {
  for (const Broken of [DropsAPage, CopiesBeforeRearming]) {
    test(`checkpoint() finds out a tracker that is broken: ${Broken.name}`, async () => {
      // In each of the two epochs every page is stored to, however long that takes.
      const changes: KeepChanges = { guest: "long64", intervalMs: 20, epochs: 2 };
      const gate = kernel === model ? {} : untilAllStored(2);
      const result = await keep({ ...changes, ...gate, Tracker: Broken }, kernel());
      assertEquals([result.ok, result.equal], [false, false]);
      const { count, pages } = result.differing;
      assertEquals(count, Broken === DropsAPage ? 1 : result.epochs[0]!.dirtyPages);
      assert(Broken === DropsAPage || count > 100, `${count}`);
      assertEquals([pages.length, pages[0]!.slot], [Math.min(count, 100), 1]);
    });
  }
}

Deno.test("checkpoint() finds out memory that changes without an entry", async () => {
  let memory = new Uint32Array(0);
  const kernel = faultyKernel(model(), "stores without an entry", () => memory);
  const changes: KeepChanges = {
    prepare: (vm) => memory = vm.memory,
    text: "reverse",
    pages: 100,
  };
  const result = await keep({ ...changes, tracking: "ring", epochs: 1 }, kernel);
  assertEquals([result.equal, result.differing.pages.map(({ offset }) => offset)], [false, [0]]);
});

Deno.test("checkpoint() compares slot 0, too", async () => {
  const kernel = model();
  let slot0 = new Uint8Array(0);
  const late: Kernel = {
    ...kernel,
    // The last thing that is asked of the kernel before the comparison.
    open(path, flags) {
      if (path.endsWith("pagemap")) slot0[0x1800] = 7;
      return kernel.open(path, flags);
    },
  };
  const result = await keep({ prepare: (vm) => slot0 = vm.slot0 }, late);
  assertEquals([result.equal, result.slot0Equal, result.differing.count], [false, false, 0]);
});

Deno.test("checkpoint() reports a reset that returns too few", async () => {
  const result = await keep({}, faultyKernel(model(), "resets too few", () => new Uint32Array(1)));
  assertEquals([result.ok, result.equal], [false, true]);
  assertStringIncludes(result.problems[0]!, "KVM_RESET_DIRTY_RINGS returned");
});

Deno.test("checkpoint() ends where a ring is full and brings no entry", async () => {
  const changes = { ...FULL, ringBytes: RING_BYTES, intervalMs: 1000, Tracker: FindsNothing };
  const result = await keep(changes, model());
  assertEquals([result.ok, result.epochs.at(-1)!.endedBy], [false, "overflow"]);
  assertStringIncludes(result.problems[0]!, "but its ring brought no entry");
  assertStringIncludes(result.problems.at(-1)!, "it overflowed");
});
