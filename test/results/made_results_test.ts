// Results that no command line on the model shows: of kernels and guests that fail, of machines, of
// signals. They come from the functions that make them, or are those that other tests print.
import { assert, assertEquals } from "@std/assert";
import type { BenchResult } from "../../commands/bench/bench.ts";
import { benchKernels } from "../../commands/bench/bench_kernels.ts";
import { dump } from "../../commands/dump/dump.ts";
import { probe } from "../../commands/probe/probe.ts";
import { reset } from "../../commands/reset/reset.ts";
import { fuzz, fuzzKernels } from "../../conformance/fuzz/fuzz.ts";
import type { CheckReport } from "../../conformance/runner/check_report.ts";
import { InlineDriver } from "../../drive/inline_driver.ts";
import { run, stats } from "../../drive/story.ts";
import { ERRNO } from "../../ffi/errors.ts";
import type { Kernel } from "../../ffi/kernel.ts";
import { KVM_RESET_DIRTY_RINGS } from "../../ffi/kvm_ioctls.ts";
import type { KernelFacts } from "../../host/facts.ts";
import { Interrupt } from "../../host/interrupt.ts";
import type { Provenance } from "../../host/provenance.ts";
import type { KernelLogResult, Watched } from "../../host/kernel_log.ts";
import { NOTHING, RESULT } from "../support/bench_results.ts";
import { SkipsAnEntry } from "../support/broken_reapers.ts";
import { DropsAPage } from "../support/broken_trackers.ts";
import { OUT_OF_TIME, reportOf, RESULTS } from "../support/check_results.ts";
import { keep, model } from "../support/checkpoints.ts";
import { faultyKernel } from "../support/faulty_kernel.ts";
import {
  checksWith,
  DEAD,
  kernelsOf,
  PASSED,
  releaseReport,
  runOf,
} from "../support/kernel_runs.ts";
import { makeLab } from "../support/labs.ts";
import "../support/libc.ts"; // what listens to signals binds it
import { MadeUpInterrupt, runLive } from "../support/live_runs.ts";
import { answer } from "../support/mutate.ts";
import { assertFits, assertRefused, taken } from "./fits.ts";
import { COMMON, readSchemas, Validator } from "./schemas.ts";

const LOG: KernelLogResult = {
  read: true,
  why: null,
  lost: 3,
  reports: [["WARNING: \u001b[31m here", "call trace"], ["BUG: there"]],
};
const UNREAD: KernelLogResult = {
  read: false,
  why: "open(/dev/kmsg): EPERM",
  lost: 0,
  reports: [],
};
/** Where a result of a real kernel comes from. */
const FROM: Provenance = {
  tool: { version: "1.2.3", commit: "ab".repeat(20) },
  commandLine: ["dirtyring", "check"],
  host: { cpu: "AMD EPYC 7763", cores: 2, memoryBytes: 2 ** 34 },
  kernel: {
    build: "#1 SMP PREEMPT_DYNAMIC",
    commandLine: "quiet",
    bootId: "d5a7",
    parameters: { "kvm.tdp_mmu": "Y", "kvm_amd.npt": "1" },
  },
  time: { startedAt: "2026-01-02T03:04:05.000Z", durationNs: 7 },
};
const KVM: KernelFacts = {
  backend: "kvm",
  model: null,
  release: "6.12.43+deb13-amd64",
  module: "kvm_amd",
  ringMaxBytes: 1048576,
};

function interrupted(): MadeUpInterrupt {
  const interrupt = new MadeUpInterrupt();
  interrupt.signal = "SIGINT";
  return interrupt;
}

/** A lab on a model that loses the last entry of each run. */
function losing() {
  return makeLab({}, faultyKernel(model(), "drops an entry", () => new Uint32Array(0)));
}

Deno.test("results with lost pages fit their schemas", async () => {
  const all = { vcpu: undefined, all: true };
  const results = [];
  {
    using lab = losing();
    results.push(await dump(lab, new InlineDriver(), all));
  }
  {
    using lab = losing();
    results.push(
      await reset(lab, new InlineDriver(), { harvestFirst: undefined, gap: undefined, sort: true }),
    );
  }
  for (const tell of [run, stats]) {
    using lab = losing();
    using interrupt = new Interrupt();
    const result = await tell(lab, interrupt, "auto");
    results.push(tell === run ? { ...result, kernelLog: LOG } : result);
  }
  const reaper = (...[lab, witness]: ConstructorParameters<typeof SkipsAnEntry>) =>
    new SkipsAnEntry(lab, witness);
  results.push({ ...await runLive({ stores: 3000, reaper }, model()), kernelLog: UNREAD });
  for (const result of results) {
    assert(!result.ok && result.lost.count > 0, result.schema);
    assertFits(result);
  }
});

Deno.test("results of a reset that answers too few fit their schemas, and say so", async () => {
  using lab = makeLab({ vcpus: 2 }, faultyKernel(model(), "resets too few", () => lab.memory));
  using interrupt = new Interrupt();
  const result = await run(lab, interrupt, "v6.17", true);
  assert(!result.ok && result.problems.length > 0);
  assertFits({ ...result, kernelLog: null });
});

Deno.test("replicas that differ, that a signal ends and that fail fit their schema", async () => {
  const changes = { guest: "long64", intervalMs: 20, epochs: 2 } as const;
  const differs = await keep({ ...changes, Tracker: DropsAPage }, model());
  const ended = await keep({ ...changes, interrupt: interrupted() }, model());
  const failed = { ...ended, error: "vCPU 0 stopped with KVM_EXIT_SHUTDOWN", output: null };
  assert(differs.differing.count > 0 && ended.interrupted === "SIGINT");
  for (const result of [differs, ended, failed]) assertFits({ ...result, kernelLog: null });
});

Deno.test("a host without KVM fits the schema of probe", () => {
  const kernel = model();
  const open: Kernel["open"] = (path, flags) =>
    path === "/dev/kvm" ? -ERRNO.ENOENT : kernel.open(path, flags);
  const result = probe({ ...kernel, open, statx: () => -ERRNO.ENOENT });
  assertEquals([result.usable, result.device, result.ring], [false, null, null]);
  assertFits(result);
  assertFits({ ...probe(model()), kernel: KVM, provenance: FROM, pml: null });
});

Deno.test("reports of checks with every status fit their schema", () => {
  const withheld = { ...OUT_OF_TIME, status: "skip", withheld: "allow-harm" } as const;
  const failed = { ...OUT_OF_TIME, status: "fail", defect: true, reports: LOG.reports } as const;
  for (const limit of [null, { ms: 500, given: true, slowness: null }]) {
    assertFits(reportOf([...RESULTS, OUT_OF_TIME, withheld, failed], { limit, kernelLog: null }));
  }
  const short = reportOf(RESULTS, {
    complete: false,
    interrupted: "SIGHUP",
    seed: 4,
    strict: true,
  });
  assertFits({ ...short, provenance: FROM });
});

Deno.test("checks of several kernels fit their schema", () => {
  const runs = [
    runOf({ ...releaseReport("6.1", RESULTS), provenance: FROM }, {
      status: 1,
      cpu: "intel",
      kernelArgs: "kvm_intel.pml=0",
    }),
    runOf(releaseReport("6.12", checksWith({ "enable.too-big": PASSED })), { cpu: "amd" }),
    runOf<CheckReport>(null, DEAD),
  ];
  const report = kernelsOf(runs, "SIGTERM");
  assert(report.differing.length > 0);
  assertFits(report);
  assertFits(kernelsOf([runOf<CheckReport>(null, DEAD)]));
});

Deno.test("fuzzed kernels that agree and that differ fit their schemas", async () => {
  const short = answer(KVM_RESET_DIRTY_RINGS, (count) => count > 3 ? count - 1 : count);
  using interrupt = new Interrupt();
  const held = async (kernel = model()) => ({
    ...await fuzz(kernel, model(), { programs: 3, seed: 1 }, interrupt),
    kernelLog: LOG,
  });
  const [well, bad] = [await held(), await held(short(model()))];
  assert(well.mismatch === null && bad.mismatch !== null);
  for (const result of [well, bad, { ...well, seed: null, interrupted: "SIGTERM" }]) {
    assertFits(result);
  }
  assertFits(fuzzKernels([runOf(well), runOf(bad, { status: 1 })], null));
});

Deno.test("benches of all sweeps, of nothing and of several kernels fit their schemas", () => {
  const whole = { ...RESULT, kernelLog: LOG };
  const nothing = { ...NOTHING, kernelLog: null, interrupted: "SIGINT" as const };
  assertFits(whole);
  assertFits(nothing);
  const dead = runOf<Watched<BenchResult>>(null, DEAD);
  const several = benchKernels([runOf(whole), runOf(nothing), dead], null);
  assert(several.ratios.length > 4);
  assertFits(several);
});

Deno.test("words that no schema has are refused, and numbers that are too great", () => {
  const report = reportOf(RESULTS);
  const { kernel } = report;
  assertRefused({ ...report, kernel: { ...kernel, backend: "xen" } }, "check-1", "allowed values");
  assertRefused({ ...report, interrupted: "SIGKILL" }, "check-1", "allowed values");
  assertRefused({ ...report, schema: "dirtyring.check/2" }, "check-1", "constant");
  assertRefused({ ...report, limit: { ms: 1, given: true, slowness: 61 } }, "check-1", "<= 60");
  const wrong = { ...kernel, backend: "model", model: "6.17" };
  assertRefused({ ...report, kernel: wrong }, "check-1", "pattern");
  const options = { ...RESULT.options, sweep: ["cost", "speed"] };
  assertRefused({ ...RESULT, options, kernelLog: null }, "bench-1", "allowed values");
});

Deno.test("a schema that takes too much is found", async () => {
  const { [COMMON]: common, ...others } = await readSchemas();
  const { kernel, ...defs } = common!.$defs!;
  const { module: _, ...properties } = kernel!.properties!;
  const { additionalProperties: _closed, ...open } = kernel!;
  const lax = (changed: object) =>
    new Validator({ ...others, [COMMON]: { ...common, $defs: { ...defs, kernel: changed } } });
  const report = reportOf(RESULTS);
  assertEquals(taken(report, "check-1", lax(kernel!)), []);
  assertEquals(taken(report, "check-1", lax(open)), [".kernel one more field"]);
  assertEquals(taken(report, "check-1", lax({ ...open, properties })), [
    ".kernel one more field",
    ".kernel.module of another type",
  ]);
  const required = kernel!.required!.filter((name) => name !== "release");
  assertEquals(taken(report, "check-1", lax({ ...kernel, required })), [
    ".kernel.release without it",
  ]);
});
