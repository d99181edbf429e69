// The parts of the fuzzer: programs and what they may hold, scripts, what may differ, how a program shrinks.
import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { programScript } from "../../commands/fuzz/fuzz_text.ts";
import { compareRuns, type FuzzDifference, isPushedAgain } from "../../conformance/fuzz/compare.ts";
import { generateProgram } from "../../conformance/fuzz/generate.ts";
import { FuzzKernel } from "../../conformance/fuzz/kernel.ts";
import { type FuzzStep, runProgram } from "../../conformance/fuzz/machine.ts";
import {
  FUZZ_RANGES,
  type FuzzOp,
  type FuzzProgram,
  parseProgram,
} from "../../conformance/fuzz/program.ts";
import { shrinkProgram } from "../../conformance/fuzz/shrink.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { KVM_RUN } from "../../ffi/kvm_ioctls.ts";
import { UsageError } from "../../host/errors.ts";
import { openModel } from "../../model/model_kernel.ts";

const LATEST = { version: "latest", pml: false, emulator: false } as const;
const HEAD = { ringBytes: 4096, vcpus: 1, logProgram: 0 } as const;
const GFN = 0x1000;
const slot = (fields: Partial<Extract<FuzzOp, { do: "slot" }>> = {}): FuzzOp => ({
  do: "slot",
  slot: 1,
  gfn: GFN,
  pages: 64,
  flags: 1,
  hostPage: 0,
  skew: 0,
  ...fields,
});
const store = (...pages: number[]): FuzzOp => ({
  do: "store",
  vcpu: 0,
  gfns: pages.map((page) => GFN + page),
});
const harvest: FuzzOp = { do: "harvest", vcpu: 0, count: 65536 };
const reset: FuzzOp = { do: "reset", argument: 0 };
const mark = (at: number, flags: number): FuzzOp => ({ do: "mark", vcpu: 0, at, flags });
const program = (...ops: FuzzOp[]): FuzzProgram => ({ ...HEAD, ops });

async function run(
  program: FuzzProgram,
  open: () => Kernel = () => openModel(LATEST),
): Promise<FuzzStep[]> {
  using kernel = new FuzzKernel(open());
  return await runProgram(kernel, program);
}

const answers = async (program: FuzzProgram): Promise<string[]> =>
  (await run(program)).map(({ answer }) => answer);

Deno.test("generateProgram() gives the same program for the same seed and number, and others for others", () => {
  const text = (seed: number, number: number) => JSON.stringify(generateProgram(seed, number));
  assertEquals(text(5, 3), text(5, 3));
  const all = [0, 1, 2].flatMap((seed) => [0, 1, 2].map((number) => text(seed, number)));
  assertEquals(new Set(all).size, 9);
});

Deno.test("where the smallest ring is larger programs run on larger rings, and fill them", async () => {
  using kernel = new FuzzKernel(openModel({ version: "v6.12", pml: true, emulator: false }));
  assertEquals(kernel.smallestRing, 16384);
  const seen = new Set<string>();
  for (let n = 0; n < 100; n++) {
    const program = generateProgram(1, n, kernel.smallestRing);
    const [made, ...steps] = await runProgram(kernel, program);
    assertEquals(made!.answer, "0");
    for (const { answer } of steps) seen.add(answer);
  }
  assert(seen.has("KVM_EXIT_DIRTY_RING_FULL"));
});

Deno.test("what is generated is a script that can be replayed: nothing unsafe, nothing lost", () => {
  for (let n = 0; n < 500; n++) {
    const program = generateProgram(11, n);
    assertEquals(parseProgram([...programScript(program)].join("")), program);
  }
});

Deno.test("programs reach what they are for", async () => {
  using kernel = new FuzzKernel(openModel(LATEST));
  const seen = new Set<string>();
  for (let n = 0; n < 400; n++) {
    const program = generateProgram(1, n);
    const steps = await runProgram(kernel, program);
    for (const [at, op] of program.ops.entries()) {
      const { answer } = steps[at + 1]!;
      seen.add(`${op.do} ${Number(answer) > 0 ? "some" : answer}`);
    }
  }
  const wanted = [
    ...["slot 0", "slot EEXIST", "slot EINVAL", "log ENXIO", "close 0", "map mapped", "map EINVAL"],
    ...[
      "store KVM_EXIT_IO",
      "store KVM_EXIT_DIRTY_RING_FULL",
      "store KVM_EXIT_MMIO",
      "store spent",
    ],
    ...["resume KVM_EXIT_IO", "resume KVM_EXIT_DIRTY_RING_FULL", "interrupted EINTR"],
    ...["harvest some", "skip some", "fill some", "mark marked", "forge forged", "reset some"],
    ...["enable EINVAL", "enable E2BIG", "enable 0", "create 0", "create EEXIST", "create EINVAL"],
  ];
  assertEquals(wanted.filter((one) => !seen.has(one)), []);
  const names = new Set([...seen].map((one) => one.split(" ")[0]));
  assertEquals(Object.keys(FUZZ_RANGES).filter((name) => !names.has(name)), []);
});

Deno.test("no program makes a ring overflow, nor moves a reset past what was pushed before a push", async () => {
  let runs = 0;
  const model = openModel(LATEST);
  const watched: Kernel = {
    ...model,
    ioctl(fd, request, argument) {
      const used = () => {
        const { dirtyIndex, resetIndex, size } = model.insight!.ring(fd)!;
        assert((dirtyIndex - resetIndex) >>> 0 <= size);
      };
      if (request !== KVM_RUN) return model.ioctl(fd, request, argument);
      used();
      const answer = model.ioctl(fd, request, argument);
      used();
      runs++;
      return answer;
    },
  };
  using kernel = new FuzzKernel(watched);
  for (let n = 0; n < 1000; n++) await runProgram(kernel, generateProgram(3, n));
  assert(runs > 1000);
});

Deno.test("an entry that no push wrote and that is marked harvested ends its vCPU's runs", async () => {
  const ops = [slot(), store(1, 2), harvest, reset, mark(0, 3), reset, store(3)];
  assertEquals((await answers(program(...ops))).slice(3), ["2", "2", "marked", "1", "spent"]);
  // A pushed one does not, nor does one that is marked dirty: the next push writes over it.
  const safe = [slot(), store(1, 2), mark(1, 3), mark(5, 1), mark(0, 2), reset, store(3, 4, 5, 6)];
  assertEquals((await answers(program(...safe))).at(-1), "KVM_EXIT_IO");
});

Deno.test("a step tells what changed in every ring, stale words included, and in memory", async () => {
  const steps = await run(program(slot({ hostPage: 9 }), store(3, 5), harvest, reset, mark(0, 1)));
  assertEquals(steps.slice(2).map(({ entries }) => entries), [
    [0, 0, 1, 1, 3, 0, 0, 1, 1, 1, 5, 0],
    [0, 0, 3, 1, 3, 0, 0, 1, 3, 1, 5, 0],
    [0, 0, 0, 1, 3, 0, 0, 1, 0, 1, 5, 0],
    [0, 2, 1, 0xffff, 0, 0],
  ]);
  assertEquals(steps[2]!.words, [12, 1, 14, 2]);
});

Deno.test("parseProgram() refuses what is wrong or unsafe, and names the line", () => {
  const head = JSON.stringify(HEAD);
  const wrong: Record<string, string> = {
    "": "it has no line",
    "x": "line 1: no JSON",
    "[1]": "line 1: no field 0",
    '{"vcpus":1}': "line 1: ringBytes: a whole number from 0 to 4294967295",
    [`${head}\n{"do":"x"}`]: 'line 2: do: no operation "x"',
    [`${head}\n\n# no\n{"do":"toString"}`]: 'line 4: do: no operation "toString"',
    [`${head}\n{"do":"reset"}`]: "line 2: argument: a whole number from 0 to 4294967295",
    [`${head}\n{"do":"reset","argument":0,"x":1}`]: "line 2: no field x",
    [`${head}\n{"do":"store","vcpu":0,"gfns":[1]}`]:
      "line 2: gfns: up to 1024 numbers from 4096 to 16777215",
    [`${head}\n{"do":"forge","vcpu":0,"at":0,"slot":1,"offset":1048577}`]:
      "line 2: offset: a whole number from 0 to 1048576",
    [`${head}\n${JSON.stringify(slot({ hostPage: 500 }))}`]:
      "line 2: hostPage + pages: more than the 512 pages behind all slots",
    [`${head}\n{"do":"enable","capability":168,"argument":3}`]:
      "line 2: argument 3: which pages are logged then depends on the host",
    [`${head}\n{"do":"enable","capability":143,"argument":2}`]:
      "line 2: capability 143: programs enable 192, 223, 225, 168 alone",
    [`${head}\n${JSON.stringify(slot({ slot: 0, pages: 0 }))}`]:
      "line 2: slot 0: the guest's own, with its code and its lists of pages",
  };
  for (const [text, message] of Object.entries(wrong)) {
    const error = assertThrows(() => parseProgram(text), UsageError);
    assertEquals(error.message.replace(/^fuzz program[,:] /, ""), message);
  }
});

const step = (answer: string, entries: number[] = [], words: number[] = []): FuzzStep => ({
  answer,
  remaining: 0,
  entries,
  words,
});
const DONE = "KVM_EXIT_IO";
const READ = [0, 0, 1, 0, 4, 0];
const at = (index: number, page: number) => [0, index, 1, 1, page, 0];

function compared(op: FuzzOp, one: FuzzStep, other: FuzzStep, logProgram = 1) {
  const made = step("0");
  const { allowances, difference, endedEarly } = compareRuns(
    { ...HEAD, logProgram, ops: [op, reset] },
    [made, one, step("7")],
    [made, other, step("8")],
  );
  return difference?.step === 1 ? "differs" : { allowances, endedEarly, at: difference?.step };
}

Deno.test("pages that the guest only reads may be pushed, and the comparison ends there", () => {
  const allowances = ["push.read-may-push"] as const;
  const allowed = { allowances, endedEarly: true, at: undefined };
  const run = store(3, 5);
  const with_ = step(DONE, [...READ, ...at(1, 3), ...at(2, 5)]);
  const without = step(DONE, [...at(0, 3), ...at(1, 5)]);
  assertEquals(compared(run, with_, without), allowed);
  assertEquals(compared(run, without, with_), allowed);
  // The ring was full earlier.
  const full = step("KVM_EXIT_DIRTY_RING_FULL", [...READ, ...at(1, 3)]);
  assertEquals(compared(run, full, without), allowed);
  // Not where it is none of the guest's pages, the order differs, one is missing, or memory differs.
  assertEquals(compared(run, with_, without, 0), "differs");
  assertEquals(compared(reset, with_, without), "differs");
  for (
    const wrong of [
      step(DONE, [...at(0, 3), ...at(1, 5), ...at(2, 6)]),
      step(DONE, [...READ, ...at(1, 5), ...at(2, 3)]),
      step(DONE, [...READ, ...at(1, 3)]),
      step(DONE, [...READ, ...at(1, 3), ...at(2, 5)], [0, 1]),
      step("KVM_EXIT_DIRTY_RING_FULL", [...READ, ...at(1, 4)]),
      step(DONE, at(0, 3)),
    ]
  ) assertEquals(compared(run, wrong, without), "differs");
});

Deno.test("a mapping for execution may be refused with either errno, and the comparison goes on", () => {
  const map = { do: "map", vcpu: 0, page: 64, pages: 1, protection: 5, flags: 1 } as const;
  const allowed = { allowances: ["mmap.exec"] as const, endedEarly: false, at: 2 };
  assertEquals(compared(map, step("EINVAL"), step("EPERM")), allowed);
  assertEquals(compared(map, step("mapped"), step("EPERM")), "differs");
  assertEquals(compared(map, step("EACCES"), step("EPERM")), "differs");
  assertEquals(compared({ ...map, protection: 3 }, step("EINVAL"), step("EPERM")), "differs");
});

Deno.test("isPushedAgain() is for pages that were pushed before, and for nothing else", () => {
  const difference = (seen: number[], expected: number[]): FuzzDifference => ({
    answers: [],
    step: 2,
    part: "entries",
    seen: step(DONE, seen),
    expected: step(DONE, expected),
  });
  const earlier = [step("0"), step(DONE, at(0, 3))];
  assert(isPushedAgain(difference([...at(1, 3), ...at(2, 5)], at(1, 5)), earlier));
  assert(!isPushedAgain(difference([...at(1, 4), ...at(2, 5)], at(1, 5)), earlier));
  assert(!isPushedAgain(difference(at(1, 5), [...at(1, 3), ...at(2, 5)]), earlier));
  assert(!isPushedAgain(difference([...at(1, 3), ...at(2, 3)], at(1, 5)), earlier));
});

Deno.test("shrinkProgram() leaves what is needed: operations, pages, numbers, vCPUs", async () => {
  const stores = (program: FuzzProgram) =>
    program.ops.flatMap((op) => op.do === "store" ? op.gfns : []);
  const big = generateProgram(1, 6);
  const wanted = stores(big)[20]!;
  assertNotEquals(wanted, undefined);
  const shrunk = await shrinkProgram(
    { ...big, vcpus: 4, ringBytes: 16384 },
    (program) => Promise.resolve(program.vcpus > 1 && stores(program).includes(wanted)),
  );
  assertEquals(shrunk, {
    ringBytes: 4096,
    vcpus: 2,
    logProgram: 0,
    ops: [{ do: "store", vcpu: 0, gfns: [wanted] }],
  });
});
