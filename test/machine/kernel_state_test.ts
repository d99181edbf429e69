// `--kernel-state`: the rings' private indices, from the model or from the tracepoints of a real
// kernel.
import { assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { dump } from "../../commands/dump/dump.ts";
import { reset } from "../../commands/reset/reset.ts";
import { InlineDriver } from "../../drive/inline_driver.ts";
import { Rounds } from "../../drive/rounds.ts";
import { ERRNO, HostError } from "../../ffi/errors.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { KVM_RESET_DIRTY_RINGS } from "../../ffi/kvm_ioctls.ts";
import type { RingVm } from "../../machine/guest_vm.ts";
import { type KernelState, kernelStates, RingWalks } from "../../machine/kernel_state.ts";
import type { LabOptions } from "../../machine/plan.ts";
import { openModel } from "../../model/model_kernel.ts";
import { kernelStateLine } from "../../report/notes.ts";
import { dirtyring, shell } from "../support/cli.ts";
import { makeLab } from "../support/labs.ts";
import { LIBC } from "../support/libc.ts";
import { liveTest, NOT_LIVE, RING_ENTRIES, SOFT_LIMIT, testUnless } from "../support/live.ts";
import { hiding, NOT_TRACEABLE, tracedTest } from "../support/tracing.ts";

const MODEL = { version: "v6.17", pml: false, emulator: false } as const;
const ALL_AT_ONCE = { harvestFirst: undefined, gap: undefined };
const EVERYTHING = { vcpu: undefined, all: false };
const LONG = { guest: "long64", memory: 8 << 20 } as const;

const indices = ({ dirtyIndex, resetIndex }: KernelState) => [dirtyIndex, resetIndex];

interface Told {
  readonly name: string;
  readonly kernel: () => Kernel;
  readonly test: typeof tracedTest;
  readonly source: KernelState["source"];
}
const KERNELS: readonly Told[] = [
  { name: "a model", kernel: () => openModel(MODEL), test: Deno.test, source: "model" },
  { name: "a real kernel", kernel: () => LIBC, test: tracedTest, source: "tracepoint" },
];

for (const { name, kernel: open, test, source } of KERNELS) {
  const made = (options: Partial<LabOptions>) => {
    const kernel = open();
    return { states: kernelStates(kernel), lab: makeLab({ ...LONG, ...options }, kernel) };
  };

  test(`dump() shows the private state of ${name}, and changes nothing by asking`, async () => {
    const { states, lab } = made({ vcpus: 2, pages: 41 });
    using _states = states;
    using _lab = lab;
    const shown = await dump(lab, new InlineDriver(), { ...EVERYTHING, states });
    const softLimit = source === "model" ? RING_ENTRIES - 64 : SOFT_LIMIT;
    assertEquals(
      shown.rings.map(({ kernelState }) => kernelState),
      [21, 20].map((dirtyIndex) => ({
        dirtyIndex,
        resetIndex: 0,
        size: RING_ENTRIES,
        softLimit,
        softLimitInferred: source === "tracepoint",
        source,
      })),
    );
    assertEquals(shown.rings.map(({ entries }) => entries.length), [21, 20]);
    // All of it is there to be harvested still.
    assertEquals(lab.tracker.rings.map(({ harvester }) => harvester.take().length), [21, 20]);
    assertEquals(lab.vm.resetDirtyRings().count, 41);
  });

  test(`reset() shows the private state of ${name} around a gap`, async () => {
    const { states, lab } = made({ pages: 20 });
    using _states = states;
    using _lab = lab;
    const { passes, ok, problems } = await reset(lab, new InlineDriver(), {
      ...ALL_AT_ONCE,
      gap: 5,
      states,
    });
    const seen = passes.map(({ rings }) => rings[0]!.kernelState!);
    assertEquals([ok, problems], [true, []]);
    assertEquals(seen.map(({ before, after }) => [indices(before), indices(after)]), [
      [[20, 0], [20, 5]],
      [[20, 5], [20, 20]],
    ]);
    assertEquals(passes.map((pass) => pass.reset), [5, 15]);
  });

  test(`the indices of ${name} run on past the ring's end`, async () => {
    const { states, lab } = made({ vcpus: 2, pages: RING_ENTRIES / 2 });
    using _states = states;
    using _lab = lab;
    const rounds = new Rounds(lab, new InlineDriver());
    for (let n = 0; n < 9; n++) await rounds.round(); // a quarter of the ring each
    const all = 9 * RING_ENTRIES / 4;
    assertEquals(states.now(lab).map(indices), [[all, all], [all, all]]);
    lab.begin(1, lab.vcpus[1]!.first, 30);
    // A tick of the rounds may still be queued, and ends the first call.
    while (lab.vcpus[1]!.vcpu.runBriefly() === null);
    assertEquals(states.now(lab).map(indices), [[all, all], [all + 30, all]]);
  });
}

// What a harvest leaves behind is the reset's own to show, not the one that asks afterwards.
tracedTest("reset() shows where its own reset stopped, and asks no other", async () => {
  let resets = 0;
  const kernel: Kernel = {
    ...LIBC,
    ioctl(fd, request, argument) {
      if (request === KVM_RESET_DIRTY_RINGS) resets++;
      return LIBC.ioctl(fd, request, argument);
    },
  };
  using states = kernelStates(kernel);
  using lab: RingVm = makeLab({ ...LONG, pages: 20 }, kernel);
  await reset(lab, new InlineDriver(), { ...ALL_AT_ONCE, states });
  assertEquals(resets, 2, "one that asks before the harvest, and the pass itself");
});

tracedTest("the state cannot be asked for while entries wait for their reset", () => {
  using states = kernelStates(LIBC);
  using lab = makeLab({ ...LONG, pages: 20 });
  lab.begin(0, 0, 20);
  lab.vcpus[0]!.vcpu.run();
  lab.tracker.rings[0]!.harvester.take(7);
  assertThrows(() => states.now(lab), TypeError, "asking has reset 7 entries");
});

tracedTest("RingWalks says so when a ring is not walked, or walked twice", () => {
  using walks = new RingWalks(LIBC);
  using lab = makeLab({ ...LONG, vcpus: 2 });
  const [first, second] = lab.vcpus.map(({ vcpu }) => vcpu);
  const twice = () => {
    lab.vm.resetDirtyRings();
    lab.vm.resetDirtyRings();
  };
  const said = (walked: number) => `${walked} walks over vCPU 0's ring in one reset, and 0 events`;
  assertThrows(() => walks.watch([first!, second!], () => {}), HostError, said(0));
  assertThrows(() => walks.watch([first!, second!], twice), HostError, said(2));
  // What went wrong once is not told of again.
  const { answer, indices } = walks.ask(lab.vm, [first!, second!]);
  assertEquals([answer, indices], [0, [0, 0].map(() => ({ dirtyIndex: 0, resetIndex: 0 }))]);
});

Deno.test("the model's soft limit is that of its processor", async () => {
  for (const [pml, reserved] of [[false, 64], [true, 576]] as const) {
    const kernel = openModel({ ...MODEL, pml });
    using states = kernelStates(kernel);
    using lab = makeLab({ ringBytes: 16384 }, kernel);
    const { rings } = await dump(lab, new InlineDriver(), { ...EVERYTHING, states });
    const { size, softLimit } = rings[0]!.kernelState!;
    assertEquals([size, softLimit], [1024, 1024 - reserved]);
  }
});

liveTest("--kernel-state says what is missing on a real kernel that does not tell", () => {
  const { what, advice } = assertThrows(
    () => kernelStates(hiding("/sys/kernel", ERRNO.ENOENT)),
    HostError,
  );
  assertEquals(
    what,
    "kernel-state: tracefs is not mounted: there is no /sys/kernel/tracing/events",
  );
  assertEquals(advice, "mount it as root (mount -t tracefs tracefs /sys/kernel/tracing)");
});

// Where tracepoints can be used, tracefs is hidden in a mount namespace of the command's own.
const HIDE = "mount -t tmpfs none /sys/kernel/tracing";
const NO_HIDING = NOT_LIVE ??
  (NOT_TRACEABLE === null
    ? (await shell(`unshare -m sh -c '${HIDE}'`)).code === 0
      ? null
      : "no mount namespace to hide tracefs in"
    : null);

for (const command of ["dump", "reset"]) {
  testUnless(NO_HIDING, `live: ${command} --kernel-state exits 4 without tracefs`, async () => {
    const line = `dirtyring ${command} --pages 3 --kernel-state`;
    const { code, stdout, stderr } = await shell(
      NOT_TRACEABLE === null ? `unshare -m sh -c '${HIDE} && ${line}'` : line,
    );
    assertEquals([code, stdout], [4, ""]);
    assertMatch(stderr, /^dirtyring: --kernel-state: .*; or try .* --backend model\n$/);
  });
}

tracedTest("--kernel-state is shown as text and JSON on a real kernel", async () => {
  const args = ["dump", "--kernel-state", "--guest", "long64", "--pages", "3"];
  const text = await dirtyring(args);
  assertEquals(text.code, 0, text.stderr);
  assertMatch(
    text.stdout,
    /\n {2}kernel: dirty_index 3, reset_index 0, size 4096, soft limit \d+ \(inferred\)\n/,
  );
  const { stdout } = await dirtyring([...args, "--format", "json"]);
  const { kernelState } = JSON.parse(stdout).rings[0];
  assertEquals([kernelState.dirtyIndex, kernelState.source], [3, "tracepoint"]);
});

Deno.test("kernelStateLine() says what is inferred, and what is not known", () => {
  const known = { dirtyIndex: 7, resetIndex: 2, size: 256 };
  const line = (softLimit: number | null, softLimitInferred: boolean) =>
    kernelStateLine({ ...known, softLimit, softLimitInferred, source: "tracepoint" });
  assertEquals([line(192, false), line(192, true), line(null, true)], [
    "kernel: dirty_index 7, reset_index 2, size 256, soft limit 192",
    "kernel: dirty_index 7, reset_index 2, size 256, soft limit 192 (inferred)",
    "kernel: dirty_index 7, reset_index 2, size 256, soft limit unknown",
  ]);
});

Deno.test("--kernel-state is shown as text, and refused where it has no place", async () => {
  const args = ["--kernel-state", "--backend", "model", "--pages", "3"];
  const dumped = await dirtyring(["dump", ...args]);
  assertStringIncludes(
    dumped.stdout,
    "  kernel: dirty_index 3, reset_index 0, size 4096, soft limit 4032\n",
  );
  const { stdout } = await dirtyring(["reset", ...args]);
  assertEquals(stdout.split("\n").slice(-4).map((line) => line.split(/  +/)), [
    ["kernel", "dirty_index", "reset_index", "size", "soft limit"],
    ["vCPU 0 before", "3", "0", "4096", "4032"],
    ["vCPU 0 after", "3", "3", "4096", "4032"],
    [""],
  ]);
  const refused = await dirtyring(["dump", "--format", "csv", ...args]);
  assertEquals([refused.code, refused.stdout], [2, ""]);
});
