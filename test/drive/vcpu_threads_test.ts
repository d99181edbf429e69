// Live runs on a real kernel: vCPUs on threads.
import { assert, assertEquals } from "@std/assert";
import { startVcpus } from "../../drive/start_vcpus.ts";
import { kvmModule } from "../../host/facts.ts";
import type { RingVm } from "../../machine/guest_vm.ts";
import { ENTRY_WORDS, OFFSET } from "../../ring/entry.ts";
import { ReadsBeforeReset, SkipsAnEntry } from "../support/broken_reapers.ts";
import { makeLab } from "../support/labs.ts";
import { LIBC } from "../support/libc.ts";
import { liveTest, NOT_LIVE, RING_ENTRIES } from "../support/live.ts";
import { MadeUpInterrupt, runLive, total } from "../support/live_runs.ts";

/** A software KVM runs real mode in KVM's emulator; on others a processor without it would, too. */
const EMULATES = NOT_LIVE === null && kvmModule(LIBC) === "kvm_pvm";
const GUESTS = ["real16", "long64"] as const;
/** So long without a store is for ever. */
const STUCK_MS = 60_000;

for (const guest of GUESTS) {
  for (const ring of [RING_ENTRIES, 4096, 65536]) {
    liveTest(`live() loses none of 50000 stores: ${guest}, rings of ${ring}`, async () => {
      const lab = { guest, ringBytes: ring * 16, memory: 16 << 20, pages: 4096 };
      // A small ring fills up between two harvests, on a slow host, too.
      const intervalMs = ring === RING_ENTRIES ? 1000 : 5;
      const result = await runLive({ ...lab, stores: 50_000, intervalMs });
      assertEquals([result.ok, result.problems, result.error], [true, [], null]);
      assertEquals([total(result, "stores"), result.lost.count], [50_000, 0]);
      assertEquals(result.resetEntries, total(result, "entries"));
      // Each store pushes where no page comes again within a ring; in a larger one it may still be dirty.
      assert(total(result, "entries") >= (ring === RING_ENTRIES ? 50_000 : lab.pages));
      if (ring === RING_ENTRIES) assert(result.fullStop.count > 0);
      if (ring === 65536) assertEquals(total(result, "fullExits"), 0);
      assertEquals(result.order === null, ring !== RING_ENTRIES);
    });
  }
}

liveTest("live() runs more vCPUs than there are processors, and loses nothing", async () => {
  const result = await runLive({ guest: "long64", vcpus: 7, stores: 30_000 });
  assertEquals([result.ok, total(result, "stores")], [true, 30_000]);
});

liveTest("live() loses nothing where vCPUs store to the same pages", async () => {
  const result = await runLive({ guest: "long64", text: "hot:5", stores: 3_000_000 });
  assertEquals([result.ok, result.lost.count], [true, 0]);
});

liveTest("a vCPU that never exits stands still when it is asked to, 200 times", async () => {
  // One page that stays dirty: the guest stores to it and exits for nothing.
  using lab = makeLab({ guest: "long64", vcpus: 2, text: "hot:1", pages: 2 ** 20 });
  await using vcpus = await startVcpus(lab, { quotas: [Infinity, Infinity] });
  let before = [0, 0];
  // A slow host may not have let one run in a millisecond or two.
  const goesOn = (n: number) => n < 200 || (n < 20_000 && before.includes(0));
  for (let n = 0; goesOn(n); n++) {
    for (const id of [0, 1]) vcpus.resume(id);
    vcpus.wait(n % 3);
    assertEquals([0, 1].map((id) => vcpus.stopOf(id)), [null, null]);
    vcpus.stop();
    assertEquals([0, 1].map((id) => vcpus.stopOf(id)?.kind), ["asked", "asked"]);
    const stores = [0, 1].map((id) => vcpus.placeOf(id).stores);
    assert(stores.every((made, id) => made >= before[id]!));
    before = stores;
  }
  assert(before.every((made) => made > 0), "they did run");
});

liveTest("a vCPU that is stopped before it has begun stands still", async () => {
  using lab = makeLab({ guest: "long64", vcpus: 1 });
  await using vcpus = await startVcpus(lab, { quotas: [Infinity] });
  for (let n = 0; n < 500; n++) {
    vcpus.resume(0);
    vcpus.stop();
    assertEquals(vcpus.stopOf(0)?.kind, "asked");
  }
});

liveTest("live() ends at an interrupt with what it gathered", async () => {
  const interrupt = new MadeUpInterrupt();
  const result = await runLive({
    guest: "long64",
    durationMs: 3_600_000,
    interrupt,
    watch: ({ elapsedNs }) => {
      if (elapsedNs > 50e6) interrupt.signal = "SIGINT";
      return true;
    },
  });
  assertEquals([result.interrupted, result.ok, result.lost.count], ["SIGINT", true, 0]);
  assert(total(result, "stores") > 0);
});

liveTest("live() gives up on stores that take too long", async () => {
  const result = await runLive({ guest: "long64", text: "hot:1", stores: 1e13, timeoutMs: 100 });
  assert(`${result.error}`.startsWith("10000000000000 stores are not made within 0.1 s"));
  assertEquals([result.ok, result.lost.count], [true, 0]);
});

// UD2 without a handler is a triple fault everywhere; POPCNT is what KVM's emulator lacks, and a processor that
// runs real mode as it is goes on behind it.
for (
  const [guest, bytes, at, expected] of [
    ["long64", [0x0f, 0x0b], 0x01, /^vCPU [01] stopped with KVM_EXIT_SHUTDOWN/],
    [
      "real16",
      [0xf3, 0x0f, 0xb8, 0xc0],
      0x90,
      // As the host does, and not either way.
      EMULATES ? /^vCPU [01] stopped with KVM_EXIT_INTERNAL_ERROR/ : /^null$/,
    ],
  ] as const
) {
  liveTest(`live() names a ${guest} guest that fails, and what was gathered holds`, async () => {
    const result = await runLive({
      guest,
      stores: 5000,
      prepare: ({ slot0, plan: { guest: { code, codeAt } } }) =>
        slot0.set(bytes, codeAt + code.indexOf(at)),
    });
    assert(expected.test(`${result.error}`), `${result.error}`);
    assertEquals([result.ok, result.lost.count], [true, 0]);
  });
}

for (
  const [what, program, why] of [
    ["throws", "thread_throws.ts", /thrown on purpose|its thread has ended/],
    ["closes itself", "thread_closes.ts", /its thread has ended/],
    ["ends with the lock of resets", "thread_dies_with_lock.ts", /its thread has ended/],
  ] as const
) {
  liveTest(`live() notices that a vCPU's thread ${what}`, async () => {
    const thread = new URL(program, new URL("./../support/", import.meta.url));
    const result = await runLive({ durationMs: 60_000, thread });
    assert(/^vCPU [01] runs no more: /.test(`${result.error}`), `${result.error}`);
    assert(why.test(`${result.error}`), `${result.error}`);
    assertEquals(total(result, "stores"), 0);
  });
}

liveTest("live() finds a harvester out that skips an entry", async () => {
  const { ok, lost } = await runLive({
    guest: "long64",
    stores: 5000,
    reaper: (lab, witness) => new SkipsAnEntry(lab, witness),
  });
  assertEquals(ok, false);
  assert(lost.count > 0);
});

liveTest("live() finds a harvester out that reads pages before it resets them", async () => {
  // Each page gets ten thousand stores, and none ever after: one whose last stores come between a read and the
  // reset behind it stays unseen. Here that reset waits until the vCPU has gone on to the next page.
  const [pages, burst] = [40, 10_000];
  const goesOn = ({ memory }: RingVm, page: number) => {
    const since = performance.now();
    while (memory[(page + 1) * 1024] === 0 && performance.now() - since < STUCK_MS);
  };
  const run = (isBroken: boolean) =>
    runLive({
      guest: "long64",
      vcpus: 1,
      memory: 8 << 20,
      text: "hot:1",
      pages: pages * burst,
      passes: 1,
      stores: pages * burst,
      intervalMs: 0.05,
      prepare: (lab) =>
        lab.load(Uint32Array.from(lab.plan.sequence, (_, n) => Math.floor(n / burst))),
      ...(!isBroken ? {} : {
        reaper: (lab, witness) =>
          new ReadsBeforeReset(lab, witness, ([entries]) => {
            if (entries === undefined || entries.length === 0) return;
            const page = entries.words[(entries.length - 1) * ENTRY_WORDS + OFFSET]!;
            if (page < pages - 1) goesOn(lab, page);
          }),
      }),
    });
  const found = await run(true);
  assertEquals([found.ok, found.lost.pages[0]?.cause], [false, "read before reset"]);
  assertEquals((await run(false)).lost.count, 0, "the order makes the difference");
});

function count(path: string): number {
  return [...Deno.readDirSync(path)].length;
}

liveTest("ten live runs leave no fd, no mapping and no thread behind", async () => {
  const once = () => runLive({ guest: "long64", stores: 300 });
  await once();
  const kvm = () =>
    Deno.readTextFileSync("/proc/self/maps").split("\n").filter((line) => line.includes("kvm"))
      .length;
  const [fds, threads] = [count("/proc/self/fd"), count("/proc/self/task")];
  for (let n = 0; n < 10; n++) assertEquals((await once()).ok, true);
  assertEquals([count("/proc/self/fd"), kvm()], [fds, 0]);
  assert(count("/proc/self/task") <= threads + 4, "threads of the engine alone");
});
