// `compare`, `check --expect` and `bench --baseline` as command lines.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { CompareResult } from "../../../commands/compare/compare_result.ts";
import { checkResult } from "../../../conformance/kit/check.ts";
import { runCheck } from "../../../conformance/runner/run_check.ts";
import { ALL_CHECKS } from "../../../conformance/statements/all_checks.ts";
import { type CliResult, dirtyring, shell } from "../../support/cli.ts";
import { checkOf, checkReport, statsResult } from "../../support/compared_results.ts";
import { Folder, inFolder } from "../../support/folder.ts";
import { type Mutation, withMutation } from "../../support/mutate.ts";
import { MUTATIONS } from "../../support/mutations.ts";
import { NOTICED } from "../../support/mutations_noticed.ts";

const MODEL = "--backend model";
const BENCH = `bench ${MODEL} --sweep pattern --repetitions 5`;

async function json(line: string, folder: string): Promise<CompareResult> {
  const { stdout, stderr } = await shell(`dirtyring ${line} --format json`, folder);
  assertEquals(stderr, "");
  return JSON.parse(stdout);
}

Deno.test("two results of the same kernel differ in nothing", async () => {
  await inFolder(async (folder) => {
    const lines = {
      stats: `stats ${MODEL} --pattern random`,
      run: `run ${MODEL} --sort --vcpus 2`,
      reset: `reset ${MODEL}`,
      live: `live ${MODEL} --stores 20000 --ring 256`,
      checkpoint: `checkpoint ${MODEL} --stores 20000 --interval 5ms`,
      check: `check ${MODEL} --only 'reset.*,coalesce.*'`,
      bench: BENCH,
      enable: `enable ${MODEL} --matrix`,
      dump: `dump ${MODEL}`,
      probe: `probe ${MODEL}`,
    };
    for (const [name, line] of Object.entries(lines)) {
      for (const n of [1, 2]) {
        const file = `${name}.${n}.json`;
        const { code, stderr } = await shell(`dirtyring ${line} --output ${file}`, folder);
        assertEquals([code, stderr], [0, ""], line);
      }
      const result = await json(`compare ${name}.1.json ${name}.2.json`, folder);
      assertEquals([result.ok, result.statements], [true, []], name);
      assertEquals(result.figures.filter(({ others }) => others[0]!.change !== "same"), [], name);
      assert(result.figures.length + result.statementCount > 0, name);
    }
    // What has other options is refused, and with what differs.
    await shell(`dirtyring stats ${MODEL} --pages 99 --output other.json`, folder);
    const { code, stderr } = await shell("dirtyring compare stats.1.json other.json", folder);
    assertEquals([code, stderr], [
      2,
      "dirtyring: other.json: not comparable with stats.1.json: " +
      'lab.pattern is "sequential", not "random"; lab.pages is 99, not 256\n',
    ]);
  });
});

const NOTHING_MORE = { allowWarn: false, allowHarm: false };

/** The report of some checks on a kernel. */
async function reportOf(mutation: Mutation, only: RegExp) {
  return await withMutation(mutation, async (open) => {
    const checks = [];
    for (const check of ALL_CHECKS.filter(({ id }) => only.test(id))) {
      checks.push(checkResult(check, await runCheck(check, open(), NOTHING_MORE)));
    }
    return checkReport(checks);
  });
}

Deno.test("a statement that a wrong kernel breaks is worse: exit status 1", async () => {
  const RIGHT: Mutation = { name: "none" };
  const wrong = MUTATIONS.find(({ name }) => NOTICED[name]!.includes("reset.count"))!;
  await inFolder(async (folder) => {
    const write = async (name: string, value: unknown) =>
      await Deno.writeTextFile(`${folder}/${name}`, JSON.stringify(value));
    await write("right.json", await reportOf(RIGHT, /^reset\.(number|count)/));
    await write("wrong.json", await reportOf(wrong, /^reset\.(number|count)/));
    const worse = await shell("dirtyring compare right.json wrong.json", folder);
    assertEquals([worse.code, worse.stderr], [1, ""], wrong.name);
    assertMatch(worse.stdout, /\n {2}\S+ +pass +fail +WORSE\n/);
    assertMatch(worse.stdout, /\nWORSE: \d+ statements?\n$/);
    const better = await shell("dirtyring compare wrong.json right.json", folder);
    assertEquals(better.code, 0);
    assertMatch(better.stdout, /\nnothing is worse; better: \d+ statements?\n$/);
  });
});

Deno.test("check --expect tells of a known defect that is gone, and of a new one", async () => {
  await using made = await Folder.make();
  const folder = made.path;
  const only = "--only 'reset.number,reset.count'";
  await shell(`dirtyring check ${MODEL} ${only} --output is.json`, folder);
  const report = JSON.parse(await Deno.readTextFile(`${folder}/is.json`));
  const [first, ...rest] = report.checks;
  const known = { ...first, status: "known", detail: "as it was" };
  const text = JSON.stringify({ ...report, checks: [known, ...rest, checkOf("a.a", "pass")] });
  await Deno.writeTextFile(`${folder}/was.json`, text);
  const run = (line: string) => shell(`dirtyring check ${MODEL} ${only} ${line}`, folder);

  const gone = await run("--expect was.json");
  assertEquals([gone.code, gone.stderr], [0, ""]);
  // Its own output, then the comparison of what was asked for.
  const [own, compared] = gone.stdout.split("\nbase  was.json");
  assertStringIncludes(own!, ": 2 passed, 0 failed");
  assertStringIncludes(compared!, `${first.id}  known  pass  better\n`);
  assert(!compared!.includes("a.a"), "it was not asked for");

  const same = await run("--expect is.json --format ktap");
  assertMatch(same.stdout, /\n# 2 statements: the same\n#\n# nothing is worse\n$/);
  const { comparison } = JSON.parse((await run("--expect was.json --format json")).stdout);
  assertEquals([comparison.schema, comparison.ok], ["dirtyring.compare/1", true]);
  const ndjson = (await run("--expect was.json --format ndjson")).stdout.trimEnd().split("\n");
  assertEquals(JSON.parse(ndjson.at(-1)!).comparison.statements.length, 1);
  const junit = await run("--expect was.json --format junit");
  assertEquals(
    junit.stderr,
    "dirtyring: compared with was.json: nothing is worse; better: 1 statement\n",
  );
  // A new one is worse.
  await Deno.writeTextFile(`${folder}/new.json`, JSON.stringify({ ...report, checks: [known] }));
  const found = await shell(`dirtyring compare is.json new.json`, folder);
  assertEquals(found.code, 1);
  assertStringIncludes(found.stdout, "pass  known  WORSE\n");
});

Deno.test("bench --baseline compares figures behind its own, and exits with 1 for a worse one", async () => {
  await using made = await Folder.make();
  const folder = made.path;
  await shell(`dirtyring ${BENCH} --output old.json`, folder);
  const same = await shell(`dirtyring ${BENCH} --baseline old.json`, folder);
  assertEquals([same.code, same.stderr], [0, ""]);
  assertMatch(same.stdout, /\nbase {2}old\.json: model of .*\nnew {3}this run: /);
  assertMatch(same.stdout, /\nnothing is worse \(figures by more than 10 %\)\n$/);
  // A kernel of fewer batches: today's is worse.
  const text = await Deno.readTextFile(`${folder}/old.json`);
  await Deno.writeTextFile(`${folder}/less.json`, text.replace(/"batches": \d+/, '"batches": 1'));
  const worse = await shell(`dirtyring ${BENCH} --baseline less.json --format csv`, folder);
  assertEquals([worse.code, worse.stderr], [
    1,
    "dirtyring: compared with less.json: WORSE: 1 figure (figures by more than 10 %)\n",
  ]);
  const json = await shell(`dirtyring ${BENCH} --baseline less.json --format json`, folder);
  assertEquals([json.code, JSON.parse(json.stdout).comparison.ok], [1, false]);
});

Deno.test("a baseline is refused before anything is done", async () => {
  await using made = await Folder.make();
  const folder = made.path;
  await Deno.writeTextFile(`${folder}/stats.json`, JSON.stringify(statsResult()));
  await Deno.writeTextFile(`${folder}/check.json`, JSON.stringify(checkReport([])));
  await Deno.writeTextFile(`${folder}/broken.json`, '{"schema":');
  await shell(`dirtyring ${BENCH} --seed 7 --output seven.json`, folder);
  const cases: readonly (readonly [string, string])[] = [
    ["check --expect none.json", "--expect none.json: open(none.json): ENOENT (no such file"],
    ["check --expect broken.json", "--expect broken.json: no JSON; expected a result"],
    ["check --expect stats.json", "is dirtyring.stats/1; expected dirtyring.check/1"],
    ["check --expect check.json --list", "--expect: does not go with --list"],
    ["check --expect ''", '--expect "": expected the name of a file'],
    [`${BENCH} --baseline check.json`, "is dirtyring.check/1; expected dirtyring.bench/1"],
    [`${BENCH} --baseline seven.json`, "is not comparable with this run: options.seed is 7, not 1"],
    [`${BENCH} --fail-above 5%`, "--fail-above: goes with --baseline"],
    [`${BENCH} --baseline seven.json --fail-above 5`, "expected a percentage (10%, 2.5%)"],
    ["compare stats.json", "compare: NEW.json is missing; expected dirtyring compare OLD.json NEW"],
    ["compare stats.json stats.json --fail-above -1%", "expected a percentage"],
    ["compare - stats.json -", "-: standard input can be read once"],
    ["compare stats.json stats.json --kernel bzImage", "--kernel: does not go with compare"],
    ["compare stats.json check.json", "it is a dirtyring.check/1, not a dirtyring.stats/1"],
    [`compare stats.json ${folder}`, "EISDIR"],
  ];
  for (const [line, message] of cases) {
    const { code, stdout, stderr } = await shell(`dirtyring ${line}`, folder);
    assertEquals([code, stdout, stderr.split("\n").length], [2, "", 2], line);
    assertStringIncludes(stderr, message, line);
  }
});

Deno.test("compare reads standard input, and NDJSON by its last line", async () => {
  await using made = await Folder.make();
  const folder = made.path;
  for (const [name, line] of [["live", "live --stores 9000"], ["check", "check --only 'cap.*'"]]) {
    await shell(`dirtyring ${line} ${MODEL} --output ${name}.json`, folder);
    await shell(`dirtyring ${line} ${MODEL} --output ${name}.ndjson`, folder);
    const both = await shell(`dirtyring compare - ${name}.ndjson <${name}.json`, folder);
    assertEquals([both.code, both.stderr], [0, ""]);
    const same = name === "check"
      ? /\d statements: the same\n/
      : /\nok: all that was checked holds/;
    assertMatch(both.stdout, same);
    assertMatch(both.stdout, /\nnothing is worse[^;]*\n$/);
  }
});

Deno.test("the texts of a comparison fit the terminal, in one column or in several", async () => {
  const { compare } = await import("../../../commands/compare/compare.ts");
  const { compareText } = await import("../../../commands/compare/compare_text.ts");
  const { comparable } = await import("../../support/compared_results.ts");
  const { PLAIN_PAGE } = await import("../../../report/page.ts");
  const long = Array.from({ length: 21 }, (_, n) => 100 + n);
  const all = [1, 1.2, 0.5].map((factor) =>
    comparable("a.json", statsResult({ samples: long.map((ns) => ns * factor) }))
  );
  for (const others of [all.slice(1, 2), all.slice(1)]) {
    const result = compare(all[0]!, others, 0.1);
    for (const columns of [60, 80, 200]) {
      const lines = [...compareText(result, { ...PLAIN_PAGE, columns })].join("").split("\n");
      assertEquals(lines.filter((line) => line.length > columns), []);
      assert(lines.some((line) => line.includes("WORSE")));
    }
  }
  const wide = [...compareText(compare(all[0]!, [all[1]!], 0.1), PLAIN_PAGE)].join("");
  assertMatch(wide, /\n {2}resetNsPerEntry +110 ns +132 ns +1\.20 +1\.14 to 1\.26 +WORSE\n/);
});

/** The script of docs/regression.md. */
const SCRIPT = (await Deno.readTextFile(new URL("../../../docs/regression.md", import.meta.url)))
  .split("```sh\n")[1]!.split("```")[0]!;

async function regression(folder: string): Promise<CliResult> {
  const kernels = ["v6.1", "v6.12"].map((one) => `'${one.slice(1)} ${MODEL} --model ${one}'`);
  return await shell(
    `CHECK='--only mmap.*,coalesce.calls-v5.11' BENCH='--sweep pattern --repetitions 5' sh regression.sh ${
      kernels.join(" ")
    }`,
    folder,
  );
}

Deno.test("the regression run of docs/regression.md ends with a table, on the model", async () => {
  await using made = await Folder.make();
  const folder = made.path;
  await Deno.writeTextFile(`${folder}/regression.sh`, SCRIPT);
  const first = await regression(folder);
  assertEquals([first.code, first.stderr], [0, ""]);
  assertEquals(first.stdout.match(/kept as the baseline/g)?.length, 4);

  const again = await regression(folder);
  assertEquals([again.code, again.stderr], [0, ""]);
  assertEquals(again.stdout.split("\n").slice(1), [
    "kernel     what   status  compared",
    "6.1        check       0  nothing is worse",
    "6.1        bench       0  nothing is worse (figures by more than 10 %)",
    "6.12       check       0  nothing is worse",
    "6.12       bench       0  nothing is worse (figures by more than 10 %)",
    "",
  ]);

  // Baselines of a better kernel: something got worse.
  const change = async (name: string, from: RegExp, to: string) => {
    const path = `${folder}/baseline/${name}.json`;
    await Deno.writeTextFile(path, (await Deno.readTextFile(path)).replace(from, to));
  };
  await change("check-6.12", /"status": "skip"/, '"status": "pass"');
  await change("bench-6.1", /"batches": \d+/, '"batches": 2');
  const worse = await regression(folder);
  assertEquals(worse.code, 1);
  assertMatch(worse.stdout, /\n6\.12 +check +1 {2}WORSE: 1 statement\n/);
  assertMatch(worse.stdout, /\n6\.1 +bench +1 {2}WORSE: 1 figure \(figures by more than 10 %\)\n/);
});

Deno.test("help says how it is decided", async () => {
  const { stdout } = await dirtyring(["help", "compare"]);
  for (const word of ["rank test", "99 % interval", "five repetitions", "--fail-above"]) {
    assertStringIncludes(stdout.replace(/\s+/g, " "), word);
  }
});
