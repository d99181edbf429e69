// `dirtyring check` around the checks: which are made, in which order, and what the command prints.
// Only tests with "live" in their names need /dev/kvm.
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { duration, globs } from "../../cli/option.ts";
import { checksAskedFor } from "../../commands/check/check.ts";
import { type CheckResult, type CheckRun, hasFailed } from "../../conformance/kit/check.ts";
import type { PlannedGroup } from "../../conformance/runner/check_report.ts";
import { shuffle } from "../../conformance/runner/conformance.ts";
import { linesOf, parseChildLine } from "../../conformance/runner/run_check.ts";
import { selectChecks, uselessGlob } from "../../conformance/runner/select_checks.ts";
import { combineRuns } from "../../conformance/runner/supervisor.ts";
import { ALL_CHECKS } from "../../conformance/statements/all_checks.ts";
import { UsageError } from "../../host/errors.ts";
import { checkRun as run } from "../support/check_results.ts";
import { denoArgs, dirtyring, shell } from "../support/cli.ts";
import { Folder } from "../support/folder.ts";
import { liveTest } from "../support/live.ts";

const CHECKS = ["reset.count", "reset.signal", "mmap.exec"].map((id) => ({ id }));
const ids = (only: string[], skip: string[]) =>
  selectChecks(CHECKS, { only, skip }).map(({ id }) => id);

Deno.test("selectChecks() goes by globs", () => {
  assertEquals(ids([], []), ["reset.count", "reset.signal", "mmap.exec"]);
  assertEquals(ids(["reset.*"], ["*.signal"]), ["reset.count"]);
  assertEquals(ids(["mmap.ex?c", "reset.count"], []), ["reset.count", "mmap.exec"]);
  // Letters, and no pattern of another kind.
  assertEquals([ids(["reset"], []), ids(["resetXcount"], []), ids(["[rm]*"], [])], [[], [], []]);
  assertEquals(uselessGlob(["mmap.*", "map.*"], CHECKS), "map.*");
  assertEquals(uselessGlob(["*"], CHECKS), undefined);
});

Deno.test("checksAskedFor() refuses what matches nothing, and suggests", () => {
  const wrong = (only: string[], skip: string[], message: string) =>
    assertThrows(() => checksAskedFor(CHECKS, { only, skip }), UsageError, message);
  wrong(["reset.signl"], [], "--only reset.signl: matches no check; did you mean reset.signal?");
  wrong([], ["rset.*"], "--skip rset.*: matches no check; did you mean reset.*?");
  wrong(["reset.*"], ["reset.*"], "--only reset.* and --skip reset.*: leave no check");
  wrong([], ["*"], "--skip *: leave no check");
});

Deno.test("duration() takes a unit, globs() commas", () => {
  const time = duration("", 1, "");
  assertEquals(["500ms", "10s", "1.5m", "60m"].map(time.parse), [500, 10_000, 90_000, 3_600_000]);
  for (const text of ["10", "0s", "-1s", "1h", "61m", "s", "1e3s", "0.5ms", ""]) {
    assertThrows(() => time.parse(text), SyntaxError, "expected a time with a unit", text);
  }
  assertEquals(globs("", "").parse("a.*, b ,,c"), ["a.*", "b", "c"]);
  assertThrows(() => globs("", "").parse(" , "), SyntaxError, "expected ids");
});

Deno.test("shuffle() keeps all, and the seed decides", () => {
  const list = Array.from({ length: 50 }, (_, n) => n);
  assertEquals(shuffle(list, 7), shuffle(list, 7));
  assert(`${shuffle(list, 7)}` !== `${shuffle(list, 8)}` && `${shuffle(list, 7)}` !== `${list}`);
  assertEquals(shuffle(list, 7).sort((a, b) => a - b), list);
});

Deno.test("combineRuns() fails where one fails, and counts", () => {
  const all = (...runs: [CheckRun, ...CheckRun[]]) => {
    const { status, detail, ms } = combineRuns(runs);
    return [status, detail, ms];
  };
  assertEquals(all(run("pass", "x")), ["pass", "x", 2]);
  assertEquals(all(run("pass"), run("fail", "x"), run("known"), run("fail", "y")), [
    "fail",
    "failed in 2 of 4 runs: x",
    8,
  ]);
  assertEquals(all(run("known"), run("timeout", "x"), run("pass")), [
    "timeout",
    "out of time in 1 of 3 runs: x",
    6,
  ]);
  assertEquals(all(run("timeout"), run("fail", "x"))[0], "fail");
  assertEquals(all(run("pass"), run("known", "x")), ["known", "observed in 1 of 2 runs: x", 4]);
  assertEquals(all(run("pass"), run("pass")), ["pass", "passed in 2 of 2 runs", 4]);
  assertEquals(all(run("skip", "x"), run("skip", "x")), ["skip", "x", 4]);
});

Deno.test("parseChildLine() takes a child's lines alone", () => {
  assertEquals(parseChildLine('{"kind":"ready"}'), { kind: "ready" });
  for (const text of ["", "ready", "{", "null", '{"a":1}', '{"kind":"x"}', '["kind"]']) {
    assertEquals(parseChildLine(text), null, text);
  }
});

// One line on stderr that begins with the program's name, nothing on stdout.
async function refuses(args: readonly string[], message: string, status = 2) {
  const { code, stdout, stderr } = await dirtyring(["check", ...args]);
  assertEquals([code, stdout], [status, ""], args.join(" "));
  assertMatch(stderr, /^dirtyring: [^\n]+\n$/, args.join(" "));
  assertStringIncludes(stderr, message);
}

Deno.test("check: a wrong command line gets one line and status 2", async () => {
  await refuses(["--only", "reset.cuont"], "did you mean reset.count?");
  await refuses(["--skip", "rset.*"], "did you mean reset.*?");
  await refuses(["--only", "mmap.*", "--skip", "mmap.*"], "leave no check");
  await refuses(["--format", "xml"], "expected text, ktap, junit, json or ndjson");
  await refuses(["--list", "--format", "ktap"], "--list: works with --format text or json");
  await refuses(["--timeout", "10"], "expected a time with a unit");
  await refuses(["--repeat", "0"], "--repeat 0: expected");
  await refuses(["--output", "/nowhere/at/all"], "--output /nowhere/at/all: ENOENT");
  await refuses(["--output", "/"], "--output /: is a folder");
  await refuses(["--output", "/dev/full"], "--output /dev/full: Deno has no permission");
  await refuses(["--list", "--bisect"], "--bisect: does not go with --list", 129);
  await refuses(["--only", "reset.cuont", "--bisect"], "did you mean reset.count?", 129);
  await refuses(["--bisect=x"], "--bisect takes no value");
  await refuses(["--model", "v5.11"], "--model v5.11: works with --backend model or auto");
});

Deno.test("check --list needs no kernel, and goes by the globs", async () => {
  const args = ["check", "--list", "--only", "mmap.*", "--skip", "*.exec"];
  const { code, stdout } = await dirtyring([...args, "--format", "json"]);
  const { schema, checks } = JSON.parse(stdout);
  assertEquals([code, schema], [0, "dirtyring.check-list/1"]);
  assertEquals(Object.keys(checks[0]), ["id", "group", "where", "statement", "source"]);
  assert(checks.length > 3 && checks.every(({ id }: { id: string }) => id.startsWith("mmap.")));
  const text = await dirtyring(args);
  assertEquals(text.stdout.trim().split("\n").length, checks.length + 1);
});

const MODEL = ["check", "--backend", "model"];

Deno.test("check on the model answers in every format, and nothing is left behind a file", async () => {
  // A limit that is given: the default is measured, and differs.
  const args = [...MODEL, "--only", "cap.*,limit.*", "--timeout", "1m", "--no-provenance"];
  await using made = await Folder.make();
  const folder = made.path;
  for (const format of ["text", "ktap", "junit", "json", "ndjson"]) {
    const plain = await dirtyring([...args, "--format", format]);
    assertEquals([plain.code, plain.stderr], [0, ""], format);
    const path = `${folder}/${format}`;
    const filed = await dirtyring([...args, "--format", format, "--output", path]);
    assertEquals([filed.code, filed.stdout, filed.stderr], [0, "", ""], format);
    const timeless = (text: string) =>
      text.replaceAll(/"ms": ?[\d.]+|time(stamp)?="[^"]+"/g, "TIME");
    assertEquals(timeless(await Deno.readTextFile(path)), timeless(plain.stdout), format);
  }
  assertEquals([...Deno.readDirSync(folder)].length, 5);
});

Deno.test("check --output replaces what a link leads to, and keeps it where nothing could be made", async () => {
  await using made = await Folder.make();
  const folder = made.path;
  await Deno.writeTextFile(`${folder}/old`, "old", { mode: 0o640 });
  await Deno.symlink("old", `${folder}/link`);
  const output = ["--output", `${folder}/link`];
  const refused = await dirtyring([...MODEL, "--only", "nothing", ...output]);
  assertEquals([refused.code, await Deno.readTextFile(`${folder}/old`)], [2, "old"]);
  await dirtyring([...MODEL, "--only", "cap.acq-rel", "--format", "json", ...output]);
  const { checks } = JSON.parse(await Deno.readTextFile(`${folder}/old`));
  assertEquals(checks.map(({ id }: { id: string }) => id), ["cap.acq-rel"]);
  assertEquals((await Deno.lstat(`${folder}/link`)).isSymlink, true);
  assertEquals((await Deno.stat(`${folder}/old`)).mode! & 0o777, 0o640);
});

Deno.test("check: 4 where nothing could be made, and the model needs no FFI", async () => {
  const skipped = await dirtyring([...MODEL, "--only", "limit.pml-minimum"]);
  assertEquals([skipped.code, skipped.stderr], [4, ""]);
  assertStringIncludes(skipped.stdout, "0 passed, 0 failed, 1 skipped");
  const deno = `'${Deno.execPath()}' run --quiet --no-prompt --allow-read`;
  const root = new URL("../..", import.meta.url).pathname;
  const args = "check --backend model --only 'cap.*'";
  const sandboxed = await shell(`${deno} --allow-run='${Deno.execPath()}' main.ts ${args}`, root);
  assertEquals([sandboxed.code, sandboxed.stderr], [0, ""]);
  const alone = await shell(`${deno} main.ts ${args}`, root);
  assertEquals(alone.code, 4);
  assertMatch(
    alone.stderr,
    /^dirtyring: Deno has no permission to start[^\n]*--allow-run[^\n]*\n$/,
  );
});

Deno.test("check --seed shuffles, --repeat repeats, --trace shows the child's calls", async () => {
  const order = async (...args: string[]) => {
    const { stdout } = await dirtyring([
      ...MODEL,
      "--only",
      "cap.*,enable.*",
      "--format",
      "json",
      ...args,
    ]);
    const { checks, seed, repeat } = JSON.parse(stdout);
    return { ids: checks.map(({ id }: { id: string }) => id), checks, seed, repeat };
  };
  const plain = await order();
  const first = await order("--seed", "3");
  assertEquals(first.ids, (await order("--seed", "3")).ids);
  assert(`${first.ids}` !== `${plain.ids}`);
  assertEquals([first.ids.toSorted(), first.seed, plain.seed], [plain.ids.toSorted(), 3, null]);
  const often = await order("--repeat", "2");
  assertEquals([often.repeat, often.ids], [2, plain.ids]);
  assertMatch(often.checks[0].detail, /^passed in 2 of 2 runs/);
  const traced = await dirtyring([...MODEL, "--only", "enable.once", "--trace"]);
  assertStringIncludes(traced.stderr, "KVM_ENABLE_CAP");
});

/** The process that a run of `check` makes its checks in. */
async function childOf(pid: number): Promise<string> {
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "pid=", "--ppid", `${pid}`] })
    .output();
  return new TextDecoder().decode(stdout).trim();
}

async function isThere(pid: string): Promise<boolean> {
  return (await new Deno.Command("ps", { args: ["-p", pid], stdout: "null" }).output()).success;
}

for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`${signal} ends check with what it gathered, marked incomplete, and status ${status}`, async () => {
    const process = new Deno.Command(Deno.execPath(), {
      args: denoArgs([...MODEL, "--repeat", "50", "--format", "ndjson"]),
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const lines: string[] = [];
    let child = "";
    for await (const line of linesOf(process.stdout)) {
      lines.push(line);
      if (lines.length > 1) continue;
      child = await childOf(process.pid);
      assert(await isThere(child));
      process.kill(signal);
    }
    const { code } = await process.status;
    assertEquals([code, await new Response(process.stderr).text()], [status, ""]);
    const { complete, interrupted, summary } = JSON.parse(lines.at(-1)!);
    assertEquals([complete, interrupted, summary.pass], [false, signal, lines.length - 1]);
    assertEquals(await isThere(child), false);
  });
}

Deno.test("an interrupted check writes its file whole, marked incomplete", async () => {
  await using made = await Folder.make();
  const folder = made.path;
  const output = `${folder}/result`;
  const args = [...MODEL, "--repeat", "1000000", "--format", "junit", "--output", output];
  const process = new Deno.Command(Deno.execPath(), {
    args: denoArgs(args),
    stdout: "null",
    stderr: "null",
  }).spawn();
  while (await childOf(process.pid) === "") await new Promise((done) => setTimeout(done, 50));
  process.kill("SIGINT");
  assertEquals((await process.status).code, 130);
  const text = await Deno.readTextFile(output);
  assertStringIncludes(text, '<property name="complete" value="false"/>');
  assert(text.endsWith("</testsuites>\n"));
  assertEquals([...Deno.readDirSync(folder)].length, 1);
});

Deno.test("a closed pipe ends check early and silently", async () => {
  const line = "{ dirtyring check --backend model --repeat 1000; echo $? >&2; } | head -n 1";
  const { stdout, stderr } = await shell(line);
  assertEquals([stdout.split("\n").length, stderr], [2, "141\n"]);
});

liveTest(
  "every statement that /dev/kvm can show holds, is known, or is skipped for a reason",
  async () => {
    const { code, stdout, stderr } = await dirtyring(["check", "--format", "json"]);
    const { schema, kernel, complete, planned, checks, summary } = JSON.parse(stdout);
    const failed = checks.filter((one: CheckResult) => hasFailed(one, false));
    assertEquals([code, stderr, failed], [0, "", []]);
    assertEquals([schema, kernel.backend, complete], ["dirtyring.check/1", "kvm", true]);
    assertEquals(checks.map(({ id }: CheckResult) => id), ALL_CHECKS.map(({ id }) => id));
    assertEquals(Object.keys(checks[0]), [
      ...["id", "group", "statement", "status", "detail", "expected", "seen", "reports", "source"],
      "ms",
    ]);
    for (const { id, status, detail } of checks) {
      assert(status !== "skip" || detail.length > 10, id);
    }
    for (const { id, where } of ALL_CHECKS) {
      if (where === "live") continue;
      assertEquals(checks.find((one: CheckResult) => one.id === id).status, "skip", id);
    }
    const { pass, fail, timeout, skip, known } = summary;
    assertEquals(pass + fail + timeout + skip + known, checks.length);
    const sum = planned.reduce((all: number, one: PlannedGroup) => all + one.checks, 0);
    assertEquals([planned.length, sum], [9, checks.length]);
  },
);
