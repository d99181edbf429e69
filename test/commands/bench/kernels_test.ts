// Several kernels fuzzed and measured: the report that shows them side by side.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { BenchResult } from "../../../commands/bench/bench.ts";
import {
  benchKernels,
  benchKernelsText,
  compareBench,
} from "../../../commands/bench/bench_kernels.ts";
import { fuzzKernelsText, fuzzText } from "../../../commands/fuzz/fuzz_text.ts";
import { fuzz, fuzzKernels, type FuzzResult } from "../../../conformance/fuzz/fuzz.ts";
import { parseProgram } from "../../../conformance/fuzz/program.ts";
import type { Kernel } from "../../../ffi/kernel.ts";
import { KVM_RESET_DIRTY_RINGS } from "../../../ffi/kvm_ioctls.ts";
import { Interrupt } from "../../../host/interrupt.ts";
import type { KernelLogResult, Watched } from "../../../host/kernel_log.ts";
import { openModel } from "../../../model/model_kernel.ts";
import { CELLS, NOTHING, RESULT } from "../../support/bench_results.ts";
import { DEAD, runOf } from "../../support/kernel_runs.ts";
import "../../support/libc.ts"; // what listens to signals binds it
import { answer } from "../../support/mutate.ts";

const model = () => openModel({ version: "latest", pml: false, emulator: false });
const short = answer(KVM_RESET_DIRTY_RINGS, (count) => count > 3 ? count - 1 : count);
const LOG: KernelLogResult = {
  read: true,
  why: null,
  lost: 0,
  reports: [["WARNING: \u001b[31m here", "call trace"]],
};

async function fuzzed(
  kernel: Kernel,
  release: string,
  changes: Partial<Watched<FuzzResult>> = {},
): Promise<Watched<FuzzResult>> {
  using interrupt = new Interrupt();
  const result = await fuzz(kernel, model(), { programs: 3, seed: 1 }, interrupt);
  const facts = { ...result.kernel, backend: "kvm", model: null, module: "kvm_amd" } as const;
  return { ...result, kernel: { ...facts, release }, kernelLog: null, ...changes };
}

Deno.test("fuzzed kernels that agree have a line each", async () => {
  const well = await fuzzed(model(), "6.1");
  const warned = await fuzzed(model(), "6.12", { kernelLog: LOG, interrupted: "SIGINT" });
  const result = fuzzKernels([runOf(well), runOf(warned)], "SIGINT");
  const { calls, entries } = well;
  assertEquals([...fuzzKernelsText(result)].join("").replaceAll(/ +/g, " ").split("\n"), [
    "kernels 6.1 /boot/vmlinuz-6.1, kvm_amd",
    " 6.12 /boot/vmlinuz-6.12, kvm_amd",
    "",
    " programs calls entries mismatch",
    `6.1 3 ${calls} ${entries} none`,
    `6.12 3 ${calls} ${entries} none`,
    "6.12: incomplete: interrupted by SIGINT after 3 of 3 programs",
    "6.12: the kernel reported a problem:",
    "6.12: WARNING: \\u001b[31m here",
    "6.12: call trace",
    "",
  ]);
  assertEquals([result.schema, result.ok], ["dirtyring.fuzz-kernels/1", false]);
});

Deno.test("of fuzzed kernels the one that differs has its script, which is read as printed", async () => {
  const well = runOf(await fuzzed(model(), "6.1"));
  const found = await fuzzed(short(model()), "6.12");
  const bad = runOf(found, { status: 1 });
  const dead = runOf<Watched<FuzzResult>>(null, { ...DEAD, kernel: "{}\n{}" });
  const text = (runs: readonly typeof well[]) =>
    [...fuzzKernelsText(fuzzKernels(runs, null))].join("");
  const shown = text([well, bad, dead]);
  assertMatch(shown, /^# 6\.12 +1 +\d+ +\d+ {2}program 0, step 4: answer$/m);
  assertMatch(shown, /^# \{\}; \{\} +- +- +- {2}-$/m);
  assertStringIncludes(shown, "#\n# kernel 6.12:\n# kernel   Linux 6.12, kvm_amd\n");
  assertStringIncludes(shown, [...fuzzText(found)].join(""));
  assertEquals(parseProgram(shown), found.mismatch!.shrunk);
  // deno-lint-ignore no-control-regex
  assert(!/[\u0000-\u0009\u000b-\u001f]/.test(shown));
  const two = text([bad, well, bad]);
  assertEquals(two.match(/^# MISMATCH: /gm)!.length, 2);
  assertStringIncludes(two, "#\n# kernel 6.12 (2):\n");
});

const measured = (
  release: string,
  changes: Partial<Watched<BenchResult>>,
): Watched<BenchResult> => ({
  ...NOTHING,
  kernelLog: null,
  ...changes,
  kernel: { ...RESULT.kernel, release },
});

Deno.test("what is compared of benches is a ratio within each kernel", () => {
  const { ringSizes, patterns, sorting } = RESULT;
  const all = measured("6.12", { cells: CELLS, ringSizes, patterns, sorting });
  const few = measured("6.1", {
    // Ways of tracking in any order: only those with the ring are compared with the bitmap.
    cells: [...CELLS].reverse().filter(({ memoryBytes }) => memoryBytes === 2 ** 30)
      .map((cell) => ({ ...cell, ratio: cell.ratio * 2 })),
    // A single ring size has nothing to be compared with, and neither has a single pattern.
    ringSizes: ringSizes.slice(0, 1),
    patterns: patterns.slice(0, 1),
  });
  const rows = compareBench([{ report: few }, { report: null }, { report: all }]);
  assertEquals(rows.map(({ sweep }) => sweep), [
    ...new Array(6).fill("cost"),
    "ring-size",
    "pattern",
    "sort",
    "sort",
  ]);
  for (const { sweep, memoryBytes, dirtyPages, sorted, ratios } of rows) {
    if (sweep !== "cost") continue;
    const cell = CELLS.find((one) =>
      one.tracking === "ring" && one.memoryBytes === memoryBytes &&
      one.dirtyPages === dirtyPages && one.sorted === sorted
    )!;
    const first = memoryBytes === 2 ** 30 ? cell.ratio * 2 : null;
    assertEquals(ratios, [first, null, cell.ratio]);
  }
  const [size, pattern, sparse] = rows.slice(6);
  assertEquals([size!.ringEntries, size!.ratios], [256, [null, null, 2e4 / 25000]]);
  assertEquals([pattern!.pattern, pattern!.ratios], ["random", [null, null, 1]]);
  assertEquals([sparse!.dirtyPages, sparse!.ratios], [66, [null, null, 0.5]]);
  assertEquals(benchKernels([runOf(few), runOf(all)], null).ratios.length, rows.length);
});

Deno.test("benches side by side: ratios alone, and what is to be known of each kernel", () => {
  const { ringSizes, patterns, sorting } = RESULT;
  const all = measured("6.12", { cells: CELLS.slice(0, 4), ringSizes, patterns, sorting });
  const bad = measured("6.1", {
    problems: ["ring: \u001b lost"],
    ok: false,
    emulated: true,
    kernelLog: LOG,
    interrupted: "SIGTERM",
  });
  const runs = [runOf(all), runOf(bad, { status: 1 }), runOf<Watched<BenchResult>>(null, DEAD)];
  const shown = [...benchKernelsText(benchKernels(runs, null))].join("");
  assertStringIncludes(
    shown,
    "\nRatios, each within one kernel: times of different VMs say little of their kernels.\n\n" +
      "cost: ring / bitmap, below 1 the ring is faster\n",
  );
  assertMatch(shown, /^ +6\.12 {2}6\.1 {2}vmlinuz-dead$/m);
  assertMatch(shown, /^ {2}1 GiB, 16 pages, sorted +0\.\d+ {4}- {13}-$/m);
  assertMatch(shown, /^ {2}256 entries +0\.800 {4}- {13}-$/m);
  assertMatch(shown, /^ {2}6554 pages +2 {4}- {13}-$/m);
  assert(!/\d (ns|µs|ms|s)\b/.test(shown));
  assertStringIncludes(
    shown,
    "6.1: emulates the guest's stores, which understates what re-protecting costs\n" +
      "6.1: interrupted by SIGTERM: figures up to there\n6.1: PROBLEM: ring: \\u001b lost\n" +
      "6.1: the kernel reported a problem:\n6.1:   WARNING: \\u001b[31m here\n",
  );
  assertStringIncludes(shown, "\nvmlinuz-dead: kernel panic: \\u001b[2J<&>; Fatal exception;");
  const five = [1, 2, 3, 4, 5].map((n) => runOf(measured(`6.12.${n}+deb12-amd64`, { sorting })));
  const numbered = [...benchKernelsText(benchKernels(five, null))].join("");
  assertMatch(
    numbered,
    /^ +\[1\] +\[2\] +\[3\] +\[4\] +\[5\]\n {2}66 pages( +0\.500){5}$/m,
  );
});
