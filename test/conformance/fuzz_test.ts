// Random programs on two kernels: kernels that agree, kernels that differ, and the reports about
// them.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fuzzText } from "../../commands/fuzz/fuzz_text.ts";
import { compareRuns } from "../../conformance/fuzz/compare.ts";
import { fuzz, type FuzzResult, replay } from "../../conformance/fuzz/fuzz.ts";
import { generateProgram } from "../../conformance/fuzz/generate.ts";
import { FuzzKernel, modelLike } from "../../conformance/fuzz/kernel.ts";
import { runProgram } from "../../conformance/fuzz/machine.ts";
import { parseProgram } from "../../conformance/fuzz/program.ts";
import { ERRNO } from "../../ffi/errors.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import {
  KVM_CREATE_VCPU,
  KVM_GET_DIRTY_LOG,
  KVM_RESET_DIRTY_RINGS,
  KVM_RUN,
  KVM_SET_USER_MEMORY_REGION,
} from "../../ffi/kvm_ioctls.ts";
import { O_RDONLY } from "../../ffi/linux.ts";
import { Interrupt, type InterruptWatch } from "../../host/interrupt.ts";
import { memoryRegionStruct } from "../../kvm/vm.ts";
import { openModel } from "../../model/model_kernel.ts";
import { denoArgs, dirtyring } from "../support/cli.ts";
import { LIBC } from "../support/libc.ts";
import { liveTest, NO_FAULTS, testUnless } from "../support/live.ts";
import { answer, ioctl, type Mutation, withMutation } from "../support/mutate.ts";
import { MUTATIONS } from "../support/mutations.ts";

const LATEST = { version: "latest", pml: false, emulator: false } as const;
const model = () => openModel(LATEST);

async function hold(real: Kernel, against: Kernel, programs: number, seed = 1) {
  using interrupt = new Interrupt();
  return await fuzz(real, against, { programs, seed }, interrupt);
}

async function heldAgain(real: Kernel, against: Kernel, script: string): Promise<FuzzResult> {
  using interrupt = new Interrupt();
  return await replay(real, against, parseProgram(script), interrupt);
}

// An interrupt that comes when it was looked at so often.
function atLook(looks: number): InterruptWatch {
  let left = looks;
  return {
    isDue: false,
    get signal() {
      return left > 0 ? null : "SIGTERM" as const;
    },
    pause(now = false) {
      if (now) left--;
      return Promise.resolve();
    },
  };
}

Deno.test("an interrupt leaves no mismatch that was not seen again, and counts the runs that were", async () => {
  const wrong = () => openModel(LATEST, { reservedEntries: 63 });
  const held = (looks: number) => fuzz(model(), wrong(), { programs: 60, seed: 1 }, atLook(looks));
  // How often the signal is looked for before the program has been run again is the model's affair.
  let looks = 1;
  let result = await held(looks);
  for (; result.mismatch === null && looks < 1000; looks++) {
    assertEquals(result.interrupted, "SIGTERM", `${looks}`);
    result = await held(looks + 1);
  }
  const { mismatch, interrupted } = result;
  assert(looks > 1);
  assertEquals([mismatch?.again, mismatch?.repeated, interrupted], [1, 1, "SIGTERM"]);
});

const text = (result: FuzzResult): string => [...fuzzText(result)].join("");

Deno.test("a kernel agrees with itself, and the work is counted", async () => {
  const result = await hold(model(), model(), 60);
  assertEquals([result.ok, result.mismatch, result.programs, result.planned], [true, null, 60, 60]);
  assertEquals(Object.values(result.allowances), [0, 0, 0]);
  assert(result.calls > 600 && result.entries > 1000);
  assertMatch(
    text(result),
    /^60 programs, seed 1: \d+ calls and \d+ entries compared\nno mismatch\n$/m,
  );
  const { calls, entries } = await hold(model(), model(), 60);
  assertEquals([calls, entries], [result.calls, result.entries]);
});

/** Kernels that lie, and the operations that are left of the program that shows it. */
const LIES: readonly (readonly [string, (kernel: Kernel) => Kernel, RegExp])[] = [
  [
    "a reset one short",
    answer(KVM_RESET_DIRTY_RINGS, (count) => count > 3 ? count - 1 : count),
    /^slot store harvest reset$/,
  ],
  [
    "another errno for an overlap",
    answer(
      KVM_SET_USER_MEMORY_REGION,
      (result) => result === -ERRNO.EEXIST ? -ERRNO.EBUSY : result,
    ),
    /^(slot )?slot$/,
  ],
  ["a log beside the ring", answer(KVM_GET_DIRTY_LOG, () => 0), /^log$/],
  [
    "another errno for a vCPU that is there",
    answer(KVM_CREATE_VCPU, (result) => result === -ERRNO.EEXIST ? -ERRNO.EINVAL : result),
    /^(create )?create$/,
  ],
  [
    "no reset of what is harvested after a gap",
    ioctl((next, fd, request, argument) => {
      const result = next(fd, request, argument);
      return request === KVM_RESET_DIRTY_RINGS && result === 1 ? 0 : result;
    }),
    /^slot store (harvest|mark|forge|fill|skip harvest|mark harvest) reset$/,
  ],
];

for (const [name, lie, ops] of LIES) {
  Deno.test(`a kernel that lies is found, and the program is shrunk: ${name}`, async () => {
    const { mismatch, ok } = await hold(lie(model()), model(), 300);
    assert(mismatch !== null && !ok);
    assertEquals([mismatch.again, mismatch.repeated, mismatch.part], [3, 3, "answer"]);
    assertMatch(mismatch.shrunk.ops.map((op) => op.do).join(" "), ops);
    assert(mismatch.shrunk.ops.length < mismatch.program.ops.length);
    assertEquals(mismatch.step, mismatch.shrunk.ops.length);
  });
}

Deno.test("a printed mismatch is a script: replayed it gives the same mismatch", async () => {
  const [, lie] = LIES[0]!;
  const found = await hold(lie(model()), model(), 50);
  const script = text(found);
  assertStringIncludes(script, "# MISMATCH: program 0 of seed 1 differs, each time; shrunk from ");
  assertMatch(script, /^# answer: what differs here\n# expected {2}4\n# seen {6}3$/m);
  const again = await heldAgain(lie(model()), model(), script);
  const { number: _, program: __, ...was } = found.mismatch!;
  const { number: ___, program, ...is } = again.mismatch!;
  assertEquals(is, was);
  assertEquals([program, again.seed], [was.shrunk, null]);
  assertEquals((await heldAgain(model(), model(), script)).ok, true);
});

// What a host does that moves guest memory: all mappings go, and pages are pushed again.
function forgetful(kernel: Kernel, isForgetting: () => boolean): Kernel {
  let vm = -1;
  const far = { slot: 31, flags: 0, guestPhysAddr: 2 ** 35, userspaceAddr: 4096 };
  return {
    ...kernel,
    ioctl(fd, request, argument) {
      if (request === KVM_CREATE_VCPU) vm = fd;
      if (request === KVM_RUN && isForgetting()) {
        for (const memorySize of [4096, 0]) {
          const region = memoryRegionStruct({ ...far, memorySize });
          assertEquals(kernel.ioctl(vm, KVM_SET_USER_MEMORY_REGION, region), 0);
        }
      }
      return kernel.ioctl(fd, request, argument);
    },
  };
}

const TWICE = '{"ringBytes":4096,"vcpus":1,"logProgram":0}\n' +
  '{"do":"slot","slot":1,"gfn":4096,"pages":8,"flags":1,"hostPage":0,"skew":0}\n' +
  '{"do":"store","vcpu":0,"gfns":[4097]}\n{"do":"store","vcpu":0,"gfns":[4097,4098]}\n';

Deno.test("a page that is pushed again once, where memory moved, is an allowance; always is none", async () => {
  let runs = 0;
  const once = await heldAgain(forgetful(model(), () => ++runs === 2), model(), TWICE);
  assertEquals([once.ok, once.allowances["push.once-until-reset"], once.endedEarly], [true, 1, 1]);
  assertStringIncludes(text(once), "allowed: push.once-until-reset, 1 time\n");
  const always = await heldAgain(forgetful(model(), () => true), model(), TWICE);
  assertEquals([always.ok, always.mismatch?.again], [false, 3]);
});

Deno.test("what differs in rings and memory is told entry by entry and page by page", async () => {
  const result = await heldAgain(forgetful(model(), () => true), model(), TWICE);
  const entry = "vCPU 0, entry 1: flags 1, slot 1, offset";
  assertStringIncludes(text(result), `# entries: what differs here\n# expected  KVM_EXIT_IO`);
  assertMatch(text(result), new RegExp(`^# seen      ${entry} \\d$`, "m"));
  const mismatch = result.mismatch!;
  const words = (...words: number[]) => ({ ...mismatch.expected, words });
  const [expected, seen] = [words(3, 7), words(3, 8, 4, 9)];
  const other = { ...result, mismatch: { ...mismatch, part: "words", expected, seen } } as const;
  const lines = [
    "expected  host page 3: 7",
    "seen      host page 3: 8",
    "seen      host page 4: 9",
  ];
  for (const line of lines) assertStringIncludes(text(other), `# ${line}\n`);
});

Deno.test("a mismatch that does not come again is one all the same, and is not shrunk", async () => {
  let resets = 0;
  const lie = answer(KVM_RESET_DIRTY_RINGS, (count) => ++resets === 40 ? count + 1 : count);
  const { mismatch, ok } = await hold(lie(model()), model(), 50);
  assertEquals([ok, mismatch?.again, mismatch?.shrunk], [false, 0, mismatch?.program]);
});

for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  liveTest(`${signal} ends fuzz with what it compared and status ${status}`, async () => {
    const args = ["fuzz", "1000000", "--format", "json", "--trace"];
    const process = new Deno.Command(Deno.execPath(), {
      args: denoArgs(args),
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    let runs = 0;
    for await (const trace of process.stderr.pipeThrough(new TextDecoderStream())) {
      if (runs < 1000 && (runs += trace.split("KVM_RUN").length - 1) >= 1000) process.kill(signal);
    }
    const { programs, interrupted, ok } = JSON.parse(await new Response(process.stdout).text());
    assertEquals([(await process.status).code, interrupted, ok], [status, signal, true]);
    assert(programs > 10 && programs < 1_000_000);
  });
}

// The lowest number that is free: the same after as before, if all was closed.
function nextFd(kernel: Kernel): number {
  const fd = kernel.open("/dev/kvm", O_RDONLY);
  kernel.close(fd);
  return fd;
}

Deno.test("every file is closed and every mapping gone, also after a mismatch", async () => {
  const real = model();
  let mappings = 0;
  const counted: Kernel = {
    ...LIES[0]![1](real),
    mmap(...call) {
      const address = real.mmap(...call);
      if (address >= 0) mappings++;
      return address;
    },
    munmap(...call) {
      mappings--;
      return real.munmap(...call);
    },
  };
  const before = nextFd(counted);
  await hold(counted, model(), 20);
  assertEquals([nextFd(counted), mappings], [before, 0]);
});

testUnless(NO_FAULTS, "live: 200 random programs end on /dev/kvm as on the model", async () => {
  const before = nextFd(LIBC);
  const result = await hold(LIBC, openModel(modelLike(LIBC)), 200);
  assertEquals([result.mismatch, result.ok, result.programs], [null, true, 200]);
  assertEquals(nextFd(LIBC), before);
  const { "mmap.exec": _, ...others } = result.allowances;
  assert(Object.values(others).every((times) => times < 30));
});

liveTest("a real kernel agrees with itself", async () => {
  const { ok, programs, allowances, kernel } = await hold(LIBC, LIBC, 60, 9);
  assertEquals([ok, programs, kernel.backend], [true, 60, "kvm"]);
  assertEquals(Object.values(allowances), [0, 0, 0]);
});

/** Models that are wrong in one place, which a real kernel shows. */
const SHOWN: readonly string[] = [
  ...["63 reserved entries", "a second enable", "private mappings", "every slot is logged"],
  ...["entries wiped by the reset", "both bits needed for a reset", "every push twice"],
  ...["the slot's id one off", "one ring for all vCPUs", "nothing is re-protected"],
  ...["the store before the push", "gaps are passed over", "cleared entries are passed over"],
  ...["closed vCPUs are passed over", "no vCPU is ever full", "a full ring stops the others"],
  ...["entries without a slot are not counted", "a deleted slot takes its entries along"],
  ...["logging off is ignored", "what was pushed counts, not what is read again"],
  ...["a batch loses its last page alone", "a window of 63 pages", "an index in the mapping"],
];

// The same without shrinking, which takes seconds where rings are full.
async function isShown(mutation: Mutation): Promise<boolean> {
  return await withMutation(mutation, async (open) => {
    using real = new FuzzKernel(LIBC);
    using wrong = new FuzzKernel(open());
    for (let n = 0; n < 400; n++) {
      const program = generateProgram(1, n);
      const [seen, expected] = [await runProgram(real, program), await runProgram(wrong, program)];
      if (compareRuns(program, seen, expected).difference !== null) return true;
    }
    return false;
  });
}

for (const name of SHOWN) {
  testUnless(NO_FAULTS, `live: /dev/kvm shows a wrong model: ${name}`, async () => {
    assert(await isShown(MUTATIONS.find((one) => one.name === name)!));
  });
}

Deno.test("dirtyring fuzz says what does not go together", async () => {
  const wrong: readonly (readonly [string[], string])[] = [
    [["0"], "fuzz 0: expected a whole number of 1 or more"],
    [["many"], "fuzz many: expected a whole number of 1 or more"],
    [["9", "8"], "unexpected 8; expected dirtyring fuzz [N] [OPTION ...]"],
    [["9", "--only", "reset.*"], "unknown option --only"],
    [["9", "--file", "x"], "fuzz 9: does not go with --file, which is one program"],
    [["9", "--format", "ktap"], "--format ktap: expected text or json"],
    [["9", "--backend", "model"], "unknown option --backend"],
    [["--file", "-", "--seed", "1"], "--seed 1: does not go with --file"],
    [["--file", "-"], "fuzz program: it has no line"],
    [["--file", "/nowhere"], "--file /nowhere: ENOENT (no such file or directory); expected"],
    [["--file", "/"], "--file /: EISDIR (is a directory); expected a script"],
    [["--file", "/dev/zero"], "--file /dev/zero: EFBIG (file too large); expected a script"],
  ];
  for (const [args, message] of wrong) {
    const { code, stdout, stderr } = await dirtyring(["fuzz", ...args], "");
    assertEquals([code, stdout], [2, ""]);
    assertStringIncludes(stderr, message);
  }
});

Deno.test("dirtyring fuzz --file passes over a byte-order mark", async () => {
  const marked = await dirtyring(["fuzz", "--file", "-"], "\ufeff{}\n");
  assertEquals([marked.code, marked.stdout], [2, ""]);
  assertStringIncludes(marked.stderr, "line 1: ringBytes"); // it is JSON, and an object
});

testUnless(
  NO_FAULTS,
  "live: dirtyring fuzz compares, and finds another model",
  async () => {
    const same = await dirtyring(["fuzz", "20", "--seed", "4", "--format", "json"]);
    assertEquals([same.code, same.stderr], [0, ""]);
    const { schema, seed, ok, model } = JSON.parse(same.stdout);
    assertEquals([schema, seed, ok, model.backend], ["dirtyring.fuzz/1", 4, true, "model"]);
    // With PML the smallest ring is larger.
    const other = ["--model", "latest+pml"];
    const found = await dirtyring(["fuzz", "20", ...other]);
    assertEquals(found.code, 1);
    assertStringIncludes(found.stdout, "# expected  EINVAL\n# seen      0\n");
    const again = await dirtyring(["fuzz", "--file", "-", ...other], found.stdout);
    assertEquals(again.code, 1);
    assertEquals((await dirtyring(["fuzz", "--file", "-"], found.stdout)).code, 0);
  },
);
