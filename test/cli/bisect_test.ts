// `check --bisect` under `git bisect run`: which outcomes count as good, bad or untested, and which
// end it.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { bisectStatus } from "../../cli/global_options.ts";
import { reportStatus } from "../../commands/check/command.ts";
import { linesOf, runCheck } from "../../conformance/runner/run_check.ts";
import { ALL_CHECKS } from "../../conformance/statements/all_checks.ts";
import { KernelError } from "../../ffi/errors.ts";
import { openModel } from "../../model/model_kernel.ts";
import { reportOf } from "../support/check_results.ts";
import { denoArgs, dirtyring, shell } from "../support/cli.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const MODEL = ["check", "--bisect", "--backend", "model"];

async function status(...args: string[]): Promise<number> {
  return (await dirtyring([...MODEL, ...args])).code;
}

Deno.test("bisectStatus() leaves nothing that would mark a commit as bad by mistake", () => {
  assertEquals([0, 1].map(bisectStatus), [0, 1]);
  // README.md, "Exit statuses": a call that was refused, a host, a defect.
  assertEquals([3, 4, 70, 125].map(bisectStatus), [125, 125, 125, 125]);
  assertEquals([2, 130, 141, 143].map(bisectStatus), [129, 130, 141, 143]);
});

Deno.test("check --bisect: 0 where all holds, 1 where something does not, 125 where nothing was asked", async () => {
  assertEquals(await status("--only", "cap.*"), 0);
  assertEquals(await status("--only", "reset.signal-lost-batch", "--strict"), 1);
  assertEquals(await status("--only", "reset.signal-lost-batch"), 0);
  assertEquals(await status("--only", "limit.pml-minimum"), 125);
});

Deno.test("check --bisect: 125 for a host that cannot, and for a defect of the tool", async () => {
  const run = async (permissions: string[]) =>
    await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-prompt", ...permissions, "main.ts", "check", "--bisect"],
      cwd: ROOT,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
  const text = ({ stderr }: Deno.CommandOutput) => new TextDecoder().decode(stderr);
  const host = await run(["--allow-read"]);
  assertEquals(host.code, 125);
  assertStringIncludes(text(host), "--allow-ffi");
  // It may not even load the command.
  const defect = await run(["--allow-ffi"]);
  assertEquals(defect.code, 125);
  assertStringIncludes(text(defect), "a defect of dirtyring");
});

Deno.test("a check that fails by an error of this program's own says nothing about the kernel", async () => {
  const kernel = openModel({ version: "latest", pml: false, emulator: false });
  const failing = async (error: Error) => {
    const run = () => Promise.reject(error);
    return await runCheck({ ...ALL_CHECKS[0]!, run }, kernel, {
      allowWarn: false,
      allowHarm: false,
    });
  };
  const defect = await failing(new TypeError("x is undefined"));
  assertEquals([defect.status, defect.defect, defect.detail], [
    "fail",
    true,
    "a defect of dirtyring: TypeError: x is undefined",
  ]);
  const refused = await failing(new KernelError("KVM_RUN", -22));
  assertEquals([refused.status, refused.defect], ["fail", false]);
  const statuses = [[defect], [defect, defect], [defect, refused], [refused]].map((checks) =>
    reportStatus(reportOf(checks))
  );
  assertEquals(statuses, [70, 70, 1, 1]);
  assertEquals(statuses.map(bisectStatus), [125, 125, 1, 1]);
});

Deno.test("check --bisect: 129 ends the bisection for a command line that is wrong", async () => {
  for (const args of [["--only", "nothing"], ["--onyl", "x"], ["--list"], ["--fuzz", "1"], ["x"]]) {
    const { code, stderr } = await dirtyring([...MODEL, ...args]);
    assertEquals([code, stderr.split("\n").length], [129, 2], args.join(" "));
  }
});

Deno.test("check --bisect: an interrupt ends the bisection, whatever was found by then", async () => {
  const args = [...MODEL, "--strict", "--repeat", "5", "--format", "ndjson"];
  const only = "reset.signal-lost-batch,slot.*,coalesce.*";
  const process = new Deno.Command(Deno.execPath(), {
    args: denoArgs([...args, "--only", only]),
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const statuses: string[] = [];
  for await (const line of linesOf(process.stdout)) {
    const { status } = JSON.parse(line);
    if (status !== undefined) statuses.push(status);
    if (statuses.length === 1) process.kill("SIGINT");
  }
  assertEquals([(await process.status).code, statuses[0]], [130, "known"]);
  const line =
    "{ dirtyring check --bisect --backend model --repeat 1000; echo $? >&2; } | head -n 1";
  assertEquals((await shell(line)).stderr, "141\n");
});

Deno.test("the launcher with --bisect: 125 where Deno would fail with 1", async () => {
  const { code, stdout, stderr } = await shell(
    "dirtyring --version && DENO_DIR=/dev/null/none dirtyring check --bisect --backend model",
  );
  assertEquals([code, stdout.split("\n").length], [125, 2]);
  assert(stderr.startsWith("dirtyring: npm's deno-std cannot be fetched, or kept"), stderr);
});
