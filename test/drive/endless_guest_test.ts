// Guests that neither exit nor store, on either kernel: no command waits for one for good, and a signal ends each.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { FuzzKernel } from "../../conformance/fuzz/kernel.ts";
import { runProgram } from "../../conformance/fuzz/machine.ts";
import type { FuzzProgram } from "../../conformance/fuzz/program.ts";
import { ENDLESS, INTERRUPTED } from "../../conformance/fuzz/ring.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { keep, model } from "../support/checkpoints.ts";
import { dirtyring, eachOf, RunningCli } from "../support/cli.ts";
import { endlessGuest } from "../support/endless_guest.ts";
import { Folder } from "../support/folder.ts";
import { LIBC } from "../support/libc.ts";
import { liveTest } from "../support/live.ts";

const PROGRAM = "test/support/endless_cli.ts";
const GIVEN_UP = /^dirtyring: vCPU 0 neither stopped nor made a store in 100 looks at it/;

/** Commands that run a vCPU until it stops. */
const INLINE = ["dump", "reset", "stats", "run", "run --guest long64", "bench --sweep cost"];
/** Commands whose vCPUs run beside them. */
const LIVE = ["live --stores 1000000", "checkpoint --stores 1000000"];

async function withCheckpoint<T>(work: (folder: string) => Promise<T>): Promise<T> {
  await using made = await Folder.make();
  const folder = made.path;
  await keep({ folder }, model());
  return await work(folder);
}

async function givesUp(backend: string): Promise<void> {
  await eachOf(INLINE, async (line) => {
    const args = [...line.split(" "), "--backend", backend];
    const { code, stdout, stderr } = await dirtyring(args, undefined, PROGRAM);
    assertEquals([code, stdout], [3, ""], `${line}: ${stderr}`);
    assertMatch(stderr, GIVEN_UP, line);
  });
  const live = ["live", "--stores", "1000", "--timeout", "200ms", "--backend", backend];
  const { code, stdout } = await dirtyring(live, undefined, PROGRAM);
  assertEquals(code, 3);
  assertStringIncludes(stdout, "ended early: ");
}

async function endsAtSignals(backend: string): Promise<void> {
  await withCheckpoint(async (folder) => {
    const inline = [...INLINE, "bench --sweep ring-size", `restore ${folder}`];
    const lines = [
      ...inline.map((line) => [line, "KVM_SET_REGS"] as const),
      // Their threads set registers themselves, and run by the first harvest.
      ...LIVE.map((line) => [line, "KVM_RESET_DIRTY_RINGS"] as const),
    ];
    const signals = ["SIGINT", "SIGTERM"] as const;
    const cases = lines.flatMap(([line, call]) =>
      signals.map((signal) => ({ line, call, signal }))
    );
    await eachOf(cases, async ({ line, call, signal }) => {
      const args = [...line.split(" "), "--backend", backend, "--trace"];
      const child = new RunningCli(args, PROGRAM);
      await child.prints("stderr", call);
      const { code, stderr } = await child.ends(signal);
      const end = stderr.slice(-300);
      assertEquals(code, signal === "SIGINT" ? 130 : 143, `${line}, ${signal}: ${end}`);
    });
  });
}

Deno.test("a guest that never stops is given up by every command (the model)", () =>
  givesUp("model"));
liveTest("a guest that never stops is given up by every command", () => givesUp("kvm"));
Deno.test(
  "a signal ends every command whose guest never stops (the model)",
  () => endsAtSignals("model"),
);
liveTest("a signal ends every command whose guest never stops", () => endsAtSignals("kvm"));

const STORES: FuzzProgram = {
  ringBytes: 65536,
  vcpus: 1,
  logProgram: 0,
  ops: [
    { do: "slot", slot: 1, gfn: 4096, pages: 8, flags: 1, hostPage: 0, skew: 0 },
    { do: "store", vcpu: 0, gfns: [4096, 4097] },
    { do: "resume", vcpu: 0 },
    { do: "reset", argument: 0 },
  ],
};

async function fuzzesOn(kernel: Kernel): Promise<void> {
  using endless = new FuzzKernel(endlessGuest(kernel));
  let pauses = 0;
  const steps = await runProgram(endless, STORES, () => {
    pauses++;
    return Promise.resolve(true);
  });
  assertEquals(steps.map(({ answer }) => answer), ["0", "0", ENDLESS, "nothing to do", "0"]);
  assertEquals(steps[2]!.remaining, 2);
  // Looked at again and again, and after a signal no more.
  assert(pauses > 10);
  const ended = await runProgram(endless, STORES, () => Promise.resolve(false));
  assertEquals(ended.map(({ answer }) => answer), ["0", "0"]);
  assert(!steps.some(({ answer }) => answer === INTERRUPTED));
}

Deno.test("a fuzz program whose guest never stops goes on, and ends at a signal (the model)", () =>
  fuzzesOn(model()));
liveTest(
  "a fuzz program whose guest never stops goes on, and ends at a signal",
  () => fuzzesOn(LIBC),
);

// Of a script that the fuzzer's shrinker once made: kvm_amd of Linux 6.1 never comes back from the store.
const WITHOUT_CODE: FuzzProgram = {
  ringBytes: 65536,
  vcpus: 0,
  logProgram: 0,
  ops: [
    { do: "create", id: 2 },
    { do: "slot", slot: 0, gfn: 4288, pages: 0, flags: 1, hostPage: 32, skew: 0 },
    { do: "store", vcpu: 0, gfns: [4117, 4244, 4234] },
  ],
};

async function storesWithoutCode(kernel: Kernel): Promise<void> {
  using fuzzed = new FuzzKernel(kernel);
  const [, , removed, stored] = await runProgram(fuzzed, WITHOUT_CODE);
  assertEquals([removed!.answer, stored!.remaining], ["0", 3]);
  assertMatch(stored!.answer, new RegExp(`^(KVM_EXIT_[A-Z_]+|E[A-Z]+|${ENDLESS})$`));
}

Deno.test("a vCPU whose code is gone holds nobody (the model)", () => storesWithoutCode(model()));
liveTest("a vCPU whose code is gone holds nobody", () => storesWithoutCode(LIBC));
