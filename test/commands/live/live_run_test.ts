import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { quotas } from "../../../drive/live_vcpus.ts";
import { VcpuThreads } from "../../../drive/vcpu_threads.ts";
import { HostError } from "../../../ffi/errors.ts";
import type { Kernel } from "../../../ffi/kernel.ts";
import { GuestError } from "../../../host/errors.ts";
import { openModel } from "../../../model/model_kernel.ts";
import {
  IgnoresShortResets,
  LosesARing,
  ReadsBeforeReset,
  SkipsAnEntry,
  SkipsNowAndThen,
} from "../../support/broken_reapers.ts";
import { LIBC } from "../../support/libc.ts";
import { MadeUpInterrupt, runLive, total } from "../../support/live_runs.ts";

const model = () => openModel({ version: "latest", pml: false, emulator: false });
const GUESTS = ["real16", "long64"] as const;

for (const guest of GUESTS) {
  Deno.test(`live() on the model makes every store and loses none (${guest})`, async () => {
    const result = await runLive({ guest, stores: 20_001 }, model());
    assertEquals([result.ok, result.error, result.lost.count], [true, null, 0]);
    assertEquals(result.vcpus.map(({ stores }) => stores), [10_001, 10_000]);
    assert(total(result, "fullExits") > 10 && result.audits > 0);
    assertEquals(result.resetEntries, total(result, "entries"));
  });
}

Deno.test("live() on the model is the same every time, by the model's clock", async () => {
  const once = async () => {
    const result = await runLive({ guest: "long64", durationMs: 40, intervalMs: 7 }, model());
    // Harvests and resets are this program's own work: they take real time, on the model, too.
    const { harvest: _harvest, reset: _reset, samples, ...rest } = result;
    const { harvestNsPerEntry: _harvests, resetNsPerEntry: _resets, ...counted } = samples;
    return { ...rest, samples: counted };
  };
  const [first, second] = [await once(), await once()];
  assertEquals(first, second);
  assertEquals(first.elapsedNs, 40e6);
});

Deno.test("live() on the model with PML loses nothing, and holds no order against its buffer", async () => {
  const kernel = openModel({ version: "latest", pml: true, emulator: false });
  // The model flushes the buffer at the end of each slice: that kicks do is for a processor to show.
  const result = await runLive({ guest: "long64", ringBytes: 16384, stores: 5000 }, kernel);
  assertEquals([result.ok, result.lost.count, result.order], [true, 0, null]);
});

Deno.test("live() sorts each harvest where it shall, and loses nothing", async () => {
  const result = await runLive({ text: "random", stores: 5000, sort: true }, model());
  assertEquals([result.ok, result.lost.count], [true, 0]);
});

Deno.test("live() tells its watcher of each harvest of all rings, and ends where that wants no more", async () => {
  const told: number[] = [];
  const result = await runLive({
    guest: "long64",
    durationMs: 1000,
    intervalMs: 10,
    watch: ({ elapsedNs }) => told.push(elapsedNs / 1e6) < 3,
  }, model());
  assertEquals(told.map(Math.round), [10, 20, 30]);
  assertEquals([result.closed, result.ok], [true, true]);
});

Deno.test("live() ends at an interrupt with what it gathered", async () => {
  const interrupt = new MadeUpInterrupt();
  const result = await runLive({
    durationMs: 3_600_000,
    interrupt,
    watch: ({ elapsedNs }) => {
      if (elapsedNs > 50e6) interrupt.signal = "SIGINT";
      return true;
    },
  }, model());
  assertEquals([result.interrupted, result.ok, result.lost.count], ["SIGINT", true, 0]);
  assert(total(result, "stores") > 0);
});

Deno.test("live() says that stores take too long, and what they are", async () => {
  const result = await runLive({ stores: 1e9, timeoutMs: 30 }, model());
  const [one, two] = result.vcpus.map(({ stores }) => stores);
  assertEquals(
    `${result.error}`.replaceAll(/ and stood still for [\d.]+ s at a full ring/g, ""),
    `1000000000 stores are not made within 0.03 s, ${one! + two!} are: ` +
      `vCPU ${one! > two! ? 1 : 0} made ${Math.min(one!, two!)} of 500000000, ` +
      `vCPU ${one! > two! ? 0 : 1} made ${Math.max(one!, two!)} of 500000000; ` +
      `expected stores ${one! + two!} or fewer, or timeout ${
        Math.ceil(1e9 / (one! + two!) * 0.03 * 1.25)
      }s or longer`,
  );
  assert(result.ok && total(result, "stores") > 0);
});

Deno.test("live() with fewer stores in the pattern than vCPUs lets the others stand", async () => {
  const result = await runLive({ vcpus: 3, pages: 2, stores: 1000 }, model());
  assertEquals(result.vcpus.map(({ stores }) => stores), [500, 500, 0]);
  assertEquals(quotas([{ stores: 1 }, { stores: 1 }, { stores: 0 }], null), [
    Infinity,
    Infinity,
    0,
  ]);
});

Deno.test("live() names a guest that fails, and what was gathered holds", async () => {
  const result = await runLive({
    stores: 5000,
    // PUSH AX, which the model's interpreter lacks, in place of the first NOP.
    prepare: (lab) => {
      const { code, codeAt } = lab.plan.guest;
      lab.slot0[codeAt + code.indexOf(0x90)] = 0x50;
    },
  }, model());
  assert(/vCPU 0 stopped with KVM_EXIT_INTERNAL_ERROR/.test(`${result.error}`), `${result.error}`);
  assertEquals([result.ok, result.lost.count], [true, 0]);
});

Deno.test("live() finds a harvester out that reads pages before it resets them", async () => {
  // Each page gets two hundred stores, and none ever after.
  const [pages, burst] = [60, 200];
  const broken = async (between: boolean) => {
    const kernel = model();
    return await runLive({
      guest: "long64",
      vcpus: 1,
      text: "hot:1",
      pages: pages * burst,
      passes: 1,
      stores: pages * burst,
      intervalMs: 0.1,
      prepare: (lab) =>
        lab.load(Uint32Array.from(lab.plan.sequence, (_, n) => Math.floor(n / burst))),
      reaper: (lab, witness) =>
        new ReadsBeforeReset(lab, witness, () => {
          // What a vCPU on a thread does between the two at any time: it goes on to the next page.
          if (!between || lab.remaining(0) < 2 * burst) return;
          kernel.insight!.runSlice(lab.vcpus[0]!.vcpu.fd, 1500);
        }),
    }, kernel);
  };
  const { ok, lost } = await broken(true);
  assertEquals([ok, lost.pages[0]?.cause], [false, "read before reset"]);
  assertEquals((await broken(false)).lost.count, 0, "the stores between make the difference");
});

Deno.test("live() finds a harvester out that skips an entry", async () => {
  const reaper = (...parts: ConstructorParameters<typeof SkipsAnEntry>) =>
    new SkipsAnEntry(...parts);
  const { ok, lost, order } = await runLive({ stores: 3000, reaper }, model());
  assertEquals(ok, false);
  assert(lost.count > 0 && order!.missing > 0);
});

Deno.test("live() finds an entry that was skipped in mid-run, though its page is read again later", async () => {
  let reaper: SkipsNowAndThen | undefined;
  const { ok, problems, order } = await runLive({
    guest: "long64",
    stores: 30_000,
    reaper: (lab, witness) => reaper = new SkipsNowAndThen(lab, witness),
  }, model());
  assertEquals(ok, false);
  assert(order!.missing > 0 && order!.missing <= reaper!.skipped);
  assert(/stores of vCPU [01] have no entry/.test(problems[0]!), problems.join());
});

Deno.test("live() cannot tell an order where pages come again, and says so", async () => {
  const again = await runLive({ guest: "long64", text: "hot:5", stores: 3000 }, model());
  assertEquals([again.ok, again.order], [true, null]);
  const sorted = await runLive({ guest: "long64", stores: 3000, sort: true }, model());
  assertEquals([sorted.ok, sorted.order, sorted.sorted], [true, null, true]);
});

Deno.test("live() answers what it gathered where the kernel fails every call in the end", async () => {
  const kernel = model();
  let isDead = false;
  const dying = {
    ...kernel,
    ioctl: (...args: Parameters<typeof kernel.ioctl>) => isDead ? -5 : kernel.ioctl(...args),
  };
  const result = await runLive({
    guest: "long64",
    durationMs: 100,
    intervalMs: 10,
    watch: ({ elapsedNs }) => {
      isDead = elapsedNs > 50e6;
      return true;
    },
  }, dying);
  assert(/EIO/.test(`${result.error}`), `${result.error}`);
  assert(total(result, "entries") > 0);
});

Deno.test("live() reads the pages of a vCPU that was full together with one whose ring is wedged", async () => {
  const result = await runLive({
    guest: "long64",
    stores: 20_000,
    reaper: (lab, witness) => new LosesARing(lab, witness),
  }, model());
  assertEquals(result.ok, false);
  assert(
    result.problems.some((text) => text.startsWith("vCPU 1 stopped with KVM_EXIT_DIRTY_RING_FULL")),
  );
  assertEquals(result.lost.pages.filter(({ vcpu }) => vcpu === 0), []);
});

Deno.test("live() looks at every page that was stored to, whatever time an interrupt leaves for the others", async () => {
  const now = performance.now;
  const interrupt = new MadeUpInterrupt();
  try {
    const { lost, interrupted } = await runLive({
      // The pages of the first stores are the last of memory, far behind what a short look comes to.
      guest: "long64",
      memory: 64 << 20,
      pages: 1 << 14,
      text: "reverse",
      durationMs: 60_000,
      interrupt,
      reaper: (lab, witness) => new SkipsAnEntry(lab, witness),
      watch: () => {
        interrupt.signal = "SIGTERM";
        let ms = now.call(performance);
        performance.now = () => ms += 1000; // the time for a last look is over at once
        return true;
      },
    }, model());
    assertEquals(interrupted, "SIGTERM");
    assert(lost.count > 0 && lost.pages.some(({ offset }) => offset > 1 << 12), `${lost.count}`);
  } finally {
    performance.now = now;
  }
});

Deno.test("live() finds a harvester out that ignores a short reset", async () => {
  let reaper: IgnoresShortResets | undefined;
  const { ok, lost, problems } = await runLive({
    guest: "long64",
    stores: 3000,
    reaper: (lab, witness) => reaper = new IgnoresShortResets(lab, witness, 5),
  }, model());
  assert(reaper!.shortest < 0, "a reset was cut short");
  assertEquals(ok, false);
  assert(problems.every((text) => !text.startsWith("KVM_RESET_DIRTY_RINGS")), "it did not look");
  assert(lost.count > 0);
});

Deno.test("live() on the model with the emulator and a tight guest says that a ring overflowed", async () => {
  const kernel = openModel({ version: "latest", pml: false, emulator: true });
  const result = await runLive({
    stores: 4000,
    // JMP over the NOPs: seven instructions a store outrun the 64 reserved entries.
    prepare: (lab) => {
      const { code, codeAt } = lab.plan.guest;
      lab.slot0.set([0xeb, 0x0a], codeAt + code.indexOf(0x90));
    },
  }, kernel);
  assertEquals(result.ok, false);
  assert(result.problems.some((text) => text.includes("overflowed")), result.problems.join());
  assertEquals(result.lost.pages[0]?.cause, "ring overflow");
});

// A vCPU of no VM, for threads that run none.
const THREADED = {
  order: {
    ring: null,
    tracing: null,
    fd: -1,
    run: { address: 0, bytes: 0 },
    registers: new Uint8Array(1),
    end: 0,
    quest: { block: 0, value: 0, step: 0, quota: 0, place: null },
  },
  remaining: () => 0,
};

Deno.test("VcpuThreads says that a kernel runs a vCPU in spite of a signal, and waits for it once", async () => {
  const program = new URL("../../support/thread_runs_on.ts", import.meta.url);
  let kicks = 0;
  const kernel: Kernel = {
    ...LIBC,
    tgkill(tid, signal) {
      if (signal !== 0) kicks++;
      return LIBC.tgkill(tid, signal);
    },
  };
  const vcpus = await VcpuThreads.start(kernel, [THREADED], program);
  const expected = "vCPU 0 does not stand still within 5 s of a signal that KVM_RUN lets in";
  assertThrows(
    () => {
      // As often as it takes: what has not begun is taken back.
      for (;;) {
        vcpus.resume(0);
        vcpus.wait(50);
        vcpus.stop();
      }
    },
    GuestError,
    expected,
  );
  assertThrows(() => vcpus.stop(), GuestError, expected);
  await vcpus[Symbol.asyncDispose]();
  assertEquals(kicks, 1);
});

Deno.test("startVcpus() says that a thread cannot be started", async () => {
  // A file that is not there would have Deno print a page about it.
  const nowhere = new URL("data:text/javascript,throw new Error('on purpose')");
  await assertRejects(
    () => VcpuThreads.start(model(), [THREADED], nowhere),
    HostError,
    "A thread for vCPU 0: Uncaught (in promise) Error: on purpose",
  );
});
