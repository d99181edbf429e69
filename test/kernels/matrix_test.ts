// How `deno task kernels` and `.ci/run` judge runs on kernels: none that failed or was not made
// counts as passed.
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import type { FuzzResult } from "../../conformance/fuzz/fuzz.ts";
import type { CheckReport } from "../../conformance/runner/check_report.ts";
import { UsageError } from "../../host/errors.ts";
import type { Result } from "../../host/facts.ts";
import type { Watched } from "../../host/kernel_log.ts";
import { kernelRuns, type UnlabelledRun } from "../../host/kernel_run.ts";
import { OUT_OF_TIME } from "../support/check_results.ts";
import {
  checksWith,
  DEAD,
  kernelsOf,
  PASSED,
  releaseReport,
  runOf,
} from "../support/kernel_runs.ts";
import { askChecks, askFuzz, lastWords } from "./ask.ts";
import { CONFIGURATIONS, processorText, vmOptions } from "./matrix.ts";
import { matrixLine } from "./matrix_line.ts";
import { checksProblem, fuzzProblem } from "./problems.ts";
import { type Asked, checksTable, fuzzTable, shortRelease } from "./tables.ts";
import { Tally } from "./tally.ts";

const WELL = checksWith({ "enable.too-big": PASSED });
const WELL_RUN = runOf(releaseReport("6.12.117+deb12-amd64", WELL));
const [NPT, , NO_NPT, PML] = CONFIGURATIONS;
const FUZZED: Watched<FuzzResult> = {
  schema: "dirtyring.fuzz/1",
  kernel: releaseReport("6.1.0-56-amd64", WELL).kernel,
  model: releaseReport("6.1", WELL).kernel,
  seed: 7,
  planned: 50,
  programs: 50,
  calls: 1307,
  entries: 54336,
  endedEarly: 0,
  allowances: { "push.read-may-push": 0, "push.once-until-reset": 0, "mmap.exec": 0 },
  mismatch: null,
  interrupted: null,
  ok: true,
  kernelLog: null,
};

function asked<Report extends Result>(
  run: UnlabelledRun<Report>,
  changes: Partial<Asked<Report>> = {},
): Asked<Report> {
  const [labelled] = kernelRuns([run], null).kernels;
  return {
    series: "6.12",
    configuration: NPT!,
    processor: "EPYC of QEMU 7.2",
    run: labelled!,
    ...changes,
  };
}

Deno.test("a command line picks hosts, kernels and programs", async () => {
  const all = await matrixLine([]);
  assertEquals(all.configurations, CONFIGURATIONS);
  assertEquals([all.kernels, all.fuzz, all.seed], [["6.12", "6.1"], 50, 1]);
  const some = await matrixLine([
    "ept=0",
    "amd",
    "--kernels",
    "6.1,6.12",
    "--fuzz=0",
    "--seed",
    "3",
  ]);
  assertEquals(some.configurations.map(({ name }) => name), ["npt", "tdp_mmu=N", "npt=0", "ept=0"]);
  assertEquals([some.kernels, some.fuzz, some.seed], [["6.12", "6.1"], 0, 3]);
  assertEquals((await matrixLine(["--kernels", "6.1"])).kernels, ["6.1"]);
  for (
    const [args, why] of [
      [["arm"], "no arm: there are amd, npt, tdp_mmu=N, npt=0, intel, pml, pml=0, ept=0"],
      [["--kernels", "6.2"], "--kernels 6.2: expected 6.12, 6.1, or both with a comma"],
      [["--fuzz", "many"], "--fuzz many: expected a whole number of 0 or more"],
      [["--fuz", "1"], "unknown option --fuz; did you mean --fuzz?"],
    ] as const
  ) {
    await assertRejects(() => matrixLine(args), UsageError, why);
  }
});

Deno.test("each host of the matrix is named to the VM as to the reader", () => {
  assertEquals(CONFIGURATIONS.map((one) => vmOptions(one).join(" ")), [
    "--vm-cpu amd",
    "--vm-cpu amd --kernel-args kvm.tdp_mmu=N",
    "--vm-cpu amd --kernel-args kvm_amd.npt=0",
    "--vm-cpu intel",
    "--vm-cpu intel --kernel-args kvm_intel.pml=0",
    "--vm-cpu intel --kernel-args kvm_intel.ept=0",
  ]);
  assertEquals(processorText("amd", "QEMU 7.2.22, in software"), "EPYC of QEMU 7.2");
  assertEquals(processorText("intel", "Bochs 2.7, in software"), "Skylake-X of Bochs 2.7");
  assertEquals(processorText("amd", "QEMU 10.0.2, with KVM"), "the host's, QEMU 10.0, with KVM");
  assertEquals(
    ["6.12.117+deb12-amd64", "6.1.0-56-amd64", "6.12.0-mine"].map(shortRelease),
    ["6.12.117", "6.1.0-56", "6.12.0-mine"],
  );
});

Deno.test("the table of checks is that of docs/kernels.md, in its order", async () => {
  const old = { series: "6.1", run: asked(runOf(releaseReport("6.1.0-56-amd64", WELL))).run };
  const report = releaseReport("6.12.117+deb12-amd64", WELL);
  const intel = runOf({ ...report, kernel: { ...report.kernel, module: "kvm_intel" } });
  const { lines, problems } = checksTable([
    asked(WELL_RUN),
    asked(WELL_RUN, old),
    asked(WELL_RUN, { configuration: NO_NPT! }),
    asked(WELL_RUN, { ...old, configuration: NO_NPT! }),
    asked(intel, { configuration: PML!, processor: "Skylake-X of Bochs 2.7" }),
  ]);
  assertEquals(problems, []);
  assertEquals(lines, [
    "| kernel | module | how guests are mapped | processor | passed | failed | skipped | known |",
    "|---|---|---|---|---|---|---|---|",
    "| 6.12.117 | `kvm_amd` | nested paging | EPYC of QEMU 7.2 | 3 | 0 | 1 | 1 |",
    "| 6.12.117 | `kvm_amd` | shadow paging, `npt=0` | EPYC of QEMU 7.2 | 3 | 0 | 1 | 1 |",
    "| 6.1.0-56 | `kvm_amd` | nested paging | EPYC of QEMU 7.2 | 3 | 0 | 1 | 1 |",
    "| 6.1.0-56 | `kvm_amd` | shadow paging, `npt=0` | EPYC of QEMU 7.2 | 3 | 0 | 1 | 1 |",
    "| 6.12.117 | `kvm_intel` | EPT, PML | Skylake-X of Bochs 2.7 | 3 | 0 | 1 | 1 |",
  ]);
  const page = await Deno.readTextFile(new URL("../../docs/kernels.md", import.meta.url));
  assertStringIncludes(page, lines[0]!.replace(" known |", ""));
  for (const { mapping } of CONFIGURATIONS) assertStringIncludes(page, `| ${mapping} |`);
});

Deno.test("what failed stands in the table and beside it; what is not whole beside it alone", () => {
  const failed = runOf(releaseReport("6.12", [...checksWith(), OUT_OF_TIME]), { status: 1 });
  const part = runOf(releaseReport("6.12", WELL, { complete: false }), {
    status: 125,
    problem: "did not end within 600 s",
  });
  const logged = runOf(releaseReport("6.12", WELL), { status: 1 });
  const { lines, problems } = checksTable([
    asked(failed),
    asked(part),
    asked(runOf<CheckReport>(null, { problem: DEAD.problem, status: 125 })),
    asked(WELL_RUN, { configuration: PML! }),
    asked(logged, { configuration: NO_NPT! }),
  ]);
  assertEquals(lines.slice(2), [
    "| 6.12 | `kvm_amd` | nested paging | EPYC of QEMU 7.2 | 2 | 2 | 1 | 1 |",
    "| 6.12 | `kvm_amd` | shadow paging, `npt=0` | EPYC of QEMU 7.2 | 3 | 0 | 1 | 1 |",
  ]);
  const amd = "Linux 6.12, kvm_amd, nested paging:";
  assertEquals(problems, [
    `${amd} failed: enable.too-big, reset.signal`,
    `${amd} not all checks were made (did not end within 600 s, status 125)`,
    `${amd} kernel panic: \\u001b[2J<&>; Fatal exception; check reset.signal was running, status 125`,
    "Linux 6.12, kvm_amd, shadow paging, npt=0: status 1",
    "Linux 6.12, kvm_intel, EPT, PML: kvm_amd answered",
  ]);
  assertEquals(checksTable([asked(part)]).lines, []);
});

Deno.test("the table of programs has those alone that all programs ran on", () => {
  const program = { ringBytes: 4096, vcpus: 1, logProgram: 0, ops: [] };
  const step = { answer: "0", remaining: 0, entries: [], words: [] };
  const mismatch: FuzzResult["mismatch"] = {
    number: 4,
    step: 9,
    part: "entries",
    answers: [],
    again: 1,
    repeated: 1,
    expected: step,
    seen: step,
    program,
    shrunk: program,
  };
  const { lines, problems } = fuzzTable([
    asked(runOf(FUZZED), { series: "6.1" }),
    asked(runOf({ ...FUZZED, mismatch, ok: false }, { status: 1 })),
    asked(runOf({ ...FUZZED, programs: 12 }, { status: 130 })),
    asked(runOf(FUZZED, { status: 1 })),
  ]);
  assertEquals(lines, [
    "| host | programs | calls | entries |",
    "|---|---|---|---|",
    "| 6.1.0-56, `kvm_amd`, nested paging | 50, seed 7 | 1,307 | 54,336 |",
  ]);
  assertEquals(problems.map((one) => one.replace("Linux 6.12, kvm_amd, nested paging: ", "")), [
    "program 4 differs in step 9: entries",
    "12 of 50 programs were run",
    "status 1",
  ]);
});

Deno.test("a host that cannot is no pass either: its kernel was there", () => {
  const all = releaseReport(
    "6.12",
    checksWith().map((one) => ({ ...one, status: "skip" as const })),
  );
  const [run] = kernelsOf([runOf(all, { status: 4 })]).kernels;
  assertEquals(checksProblem(run!), "status 4");
  const none = kernelRuns([runOf<Watched<FuzzResult>>(null, { status: 4 })], null).kernels[0]!;
  assertEquals(fuzzProblem(none), "it told nothing, status 4");
});

Deno.test("one kernel or several: each has its run, whatever the tool came to", async () => {
  const told: string[] = [];
  const tool = (code: number, stdout: string, stderr = "") => (args: readonly string[]) => {
    told.push(args.join(" "));
    return Promise.resolve({ code, signal: null, stdout, stderr });
  };
  const two = {
    folders: ["a", "b"],
    options: ["--vm-cpu", "amd", "--kernel-args", "kvm_amd.npt=0"],
  };
  const one = { ...two, folders: ["a"] };
  const both = kernelsOf([WELL_RUN, runOf<CheckReport>(null, { status: 125 })]);
  assertEquals(await askChecks(two, tool(1, JSON.stringify(both))), both);
  const alone = await askChecks(one, tool(1, JSON.stringify(WELL_RUN.report)));
  assertEquals(alone.kernels, [{
    label: "6.12.117+deb12-amd64",
    kernel: "a",
    kernelArgs: "kvm_amd.npt=0",
    cpu: "amd",
    status: 1,
    report: WELL_RUN.report,
    problem: null,
    console: [],
  }]);
  const stderr = "dirtyring: a note\ndirtyring: the kernel panicked\n" +
    "the last lines of its console:\n  BUG: here\n  reboot\n";
  const dead = await askFuzz({ programs: 9, seed: 2 }, one, tool(125, "", stderr));
  const [{ status, report, problem, console: last }] = dead.kernels as [
    typeof dead.kernels[0] & object,
  ];
  assertEquals([status, report, problem], [125, null, "the kernel panicked"]);
  assertEquals(last, ["BUG: here", "reboot"]);
  const refused = await askChecks(two, tool(2, "", "dirtyring: --kernel b: holds no kernel\n"));
  assertEquals(refused.kernels.map((run) => [run.kernel, run.status, run.problem]), [
    ["a", 2, "--kernel b: holds no kernel"],
    ["b", 2, "--kernel b: holds no kernel"],
  ]);
  const options = "--vm-cpu amd --kernel-args kvm_amd.npt=0";
  assertEquals(told, [
    `check --format json --kernel a --kernel b ${options}`,
    `check --format json --kernel a ${options}`,
    `fuzz 9 --seed 2 --format json --kernel a ${options}`,
    `check --format json --kernel a --kernel b ${options}`,
  ]);
  assertEquals([lastWords("Killed\n"), lastWords("")], ["Killed", "it said nothing"]);
});

Deno.test("runs are counted as passed, failed or skipped, each once", () => {
  const said: string[] = [];
  const tally = new Tally((line) => void said.push(line));
  assertEquals([tally.ok, tally.text], [true, "kernels: 0 passed, 0 failed, 0 skipped"]);
  tally.skip(3);
  tally.count("check", null);
  assertEquals([tally.ok, tally.text], [true, "kernels: 1 passed, 0 failed, 3 skipped"]);
  tally.count("live run", "status 1");
  assertEquals([tally.ok, tally.text], [false, "kernels: 1 passed, 1 failed, 3 skipped"]);
  assertEquals(said, ["check ... ok", "live run ... FAILED: status 1"]);
});
