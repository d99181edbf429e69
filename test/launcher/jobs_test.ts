// The ready jobs of docs/ci/: their command lines work, and what they say of a result is so.
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { type CliResult, shell } from "../support/cli.ts";
import { Folder } from "../support/folder.ts";
import { mapping, parseYaml, texts } from "../support/yaml.ts";

const CI = new URL("../../docs/ci/", import.meta.url).pathname;
const KSELFTEST = `${CI}kselftest/dirtyring/dirtyring.sh`;
const ON_MODEL = ["--backend", "model"];

/** A job's shell lines, and the files that it keeps. */
interface Job {
  readonly lines: readonly string[];
  readonly kept: readonly string[];
}

function githubJob(text: string): Job {
  const { on, permissions, jobs } = parseYaml(text);
  assertEquals(Object.keys(mapping(on)), ["pull_request", "workflow_dispatch"]);
  assertEquals(permissions, { contents: "read" });
  const { check } = mapping(jobs);
  const { steps, ...rest } = mapping(check);
  assertEquals(Object.keys(rest), ["runs-on", "timeout-minutes"]);
  assert(Array.isArray(steps));
  const lines: string[] = [];
  let kept = "";
  for (const step of steps.map(mapping)) {
    // A step runs a script, or uses an action of one version.
    assertEquals(typeof step["run"] === "string", step["uses"] === undefined);
    if (typeof step["run"] === "string") lines.push(step["run"]);
    else assertMatch(`${step["uses"]}`, /^actions\/[\w-]+@v\d+$/);
    if (`${step["uses"]}`.startsWith("actions/upload-artifact@")) {
      assertEquals(step["if"], "always()");
      kept = `${mapping(step["with"])["path"]}`;
    }
  }
  return { lines, kept: kept.trim().split("\n") };
}

function gitlabJob(text: string): Job {
  const { dirtyring } = parseYaml(text);
  const { script, artifacts, allow_failure } = mapping(dirtyring);
  const { when, paths, reports } = mapping(artifacts);
  assertEquals([when, allow_failure], ["always", { exit_codes: 4 }]);
  const { junit } = mapping(reports);
  assert(texts(paths).includes(`${junit}`));
  return { lines: texts(script), kept: texts(paths) };
}

const JOBS: Readonly<Record<string, (text: string) => Job>> = {
  "github.yml": githubJob,
  "gitlab.yml": gitlabJob,
};

for (const [file, read] of Object.entries(JOBS)) {
  Deno.test(`docs/ci/${file}: its lines are a shell's, and write what it keeps`, async () => {
    const text = await Deno.readTextFile(`${CI}${file}`);
    const { lines, kept } = read(text);
    await using folder = await Folder.make();
    for (const [n, line] of lines.entries()) {
      const script = await folder.write(`${n}.sh`, line);
      assertEquals((await shell(`bash -n ${script}`)).stderr, "", line);
    }
    const own = lines.filter((line) => line.startsWith("dirtyring "));
    assertEquals(own.map((line) => line.split(" ")[1]), ["probe", "check"]);
    for (const line of own) {
      const only = line.startsWith("dirtyring check") ? "--only 'enable.*'" : "";
      const { code, stdout, stderr } = await shell(
        `${line} ${ON_MODEL.join(" ")} ${only}`,
        folder.path,
      );
      assertEquals([code, stderr], [0, ""], line);
      assert(stdout.length > 100, "it tells the log, too");
    }
    for (const name of kept) assert((await Deno.stat(`${folder.path}/${name}`)).size > 100, name);
    assertMatch(await Deno.readTextFile(`${folder.path}/dirtyring.xml`), /<testsuites?\b/);
    // A job that is not as it must be is noticed.
    assertThrows(() => read(text.replaceAll("always", "sometimes")), Error);
    assertThrows(() => read(text.replace("steps:", "step:").replace("script:", "scripts:")), Error);
  });
}

Deno.test("docs/ci/lava-test.yaml and lava-job.yaml are as LAVA takes them", async () => {
  const { metadata, params, install, run, ...rest } = parseYaml(
    await Deno.readTextFile(`${CI}lava-test.yaml`),
  );
  assertEquals(rest, {});
  const { format, name, description, ...lists } = mapping(metadata);
  assertEquals([format, name], ["Lava-Test Test Definition 1.0", "dirtyring"]);
  assertEquals(typeof description, "string");
  for (const list of Object.values(lists)) texts(list);
  assertEquals(texts(mapping(install)["deps"]), ["nodejs", "npm"]);
  const steps = texts(mapping(run)["steps"]);
  const script = steps.find((step) => step.startsWith("docs/ci/"))!.split(" ")[0]!;
  assert(((await Deno.stat(new URL(`../../${script}`, import.meta.url))).mode! & 0o111) !== 0);

  const job = parseYaml(await Deno.readTextFile(`${CI}lava-job.yaml`));
  assert(Array.isArray(job["actions"]));
  const actions = job["actions"].map((action) => mapping(action));
  assertEquals(actions.flatMap(Object.keys), ["deploy", "boot", "test"]);
  const { definitions } = mapping(actions[2]!["test"]);
  assert(Array.isArray(definitions));
  const { path, parameters } = mapping(definitions[0]);
  assertEquals(path, "docs/ci/lava-test.yaml");
  for (const parameter of Object.keys(mapping(parameters))) {
    assert(Object.hasOwn(mapping(params), parameter), parameter);
  }
});

// Runs a script of docs/ci/ with a program in place of dirtyring.
async function withStandIn(
  script: string,
  standIn: string,
  more: Readonly<Record<string, string>> = {},
): Promise<CliResult> {
  await using folder = await Folder.make();
  const DIRTYRING = await folder.program("dirtyring", standIn);
  for (const [name, text] of Object.entries(more)) await folder.program(name, text);
  return await shell(`PATH=${folder.path}:$PATH DIRTYRING=${DIRTYRING} ${script}`);
}

Deno.test("the kselftest prints KTAP, and its status is kselftest's", async () => {
  const { code, stdout } = await shell(`${KSELFTEST} ${ON_MODEL.join(" ")} --only 'enable.*'`);
  assertEquals(code, 0);
  assertMatch(stdout, /^KTAP version 1\n1\.\.1\n[^]*\nok 1 enabling\n$/);

  const wrong = await shell(`${KSELFTEST} --backend modle`);
  assertEquals([wrong.code, wrong.stdout], [1, ""]);
  assertMatch(wrong.stderr, /^dirtyring: [^\n]*modle[^\n]*\n$/);

  const missing = await shell(`DIRTYRING=nonesuch ${KSELFTEST}`);
  const skipped = "KTAP version 1\n1..0 # SKIP no nonesuch on PATH\n";
  assertEquals([missing.code, missing.stdout], [4, skipped]);

  const statuses = [[0, 0], [1, 1], [2, 1], [3, 1], [4, 4], [70, 70], [130, 130]] as const;
  for (const [status, expected] of statuses) {
    const silent = await withStandIn(KSELFTEST, `exit ${status}`);
    assertEquals(silent.code, expected, `${status}`);
    const said = status === 4
      ? "KTAP version 1\n1..0 # SKIP nothing could be asked: see above\n"
      : "";
    assertEquals(silent.stdout, said);
    // What was printed already says itself that all of it was skipped.
    const loud = await withStandIn(KSELFTEST, `printf '%s\\n' 'a\\b  $1 $#'; exit ${status}`);
    assertEquals([loud.code, loud.stdout], [expected, "a\\b  $1 $#\n"]);
  }
});

const LAVA_TEST_CASE = { "lava-test-case": 'echo "case $*"' };

function casesOf({ stdout }: CliResult): string[] {
  return stdout.split("\n").filter((line) => line.startsWith("case "));
}

Deno.test("LAVA is told each statement, and the run", async () => {
  await using folder = await Folder.make();
  await folder.program("lava-test-case", LAVA_TEST_CASE["lava-test-case"]);
  const whole = await shell(
    `PATH=${folder.path}:$PATH ${CI}lava.sh ${ON_MODEL.join(" ")} --only 'enable.*'`,
  );
  assertEquals(whole.code, 0);
  const cases = casesOf(whole);
  assertEquals(cases.length, 14);
  assertEquals(cases[0], "case enable.on-vm-fd --result pass");
  assertEquals(cases.at(-1), "case dirtyring-check --result pass");

  const ktap = `cat <<'KTAP'
KTAP version 1
1..1
  KTAP version 1
  # Subtest: Linux 6.1
    # cap.a: seen ok 1 cap.z
    ok 1 cap.a
    not ok 2 cap.b-c
    ok 3 cap.d # SKIP no PML
    ok 4 cap.e # XFAIL a known defect
    not ok 5 cap.f # TIMEOUT
  not ok 1 enabling
not ok 1 /boot/vmlinuz-6.1
KTAP
`;
  const told = async (status: number) =>
    casesOf(await withStandIn(`${CI}lava.sh`, `${ktap}exit ${status}`, LAVA_TEST_CASE));
  assertEquals(await told(1), [
    "case cap.a --result pass",
    "case cap.b-c --result fail",
    "case cap.d --result skip",
    "case cap.e --result pass",
    "case cap.f --result fail",
    "case dirtyring-check --result fail",
  ]);
  assertEquals((await told(4)).at(-1), "case dirtyring-check --result skip");
  assertEquals((await told(0)).at(-1), "case dirtyring-check --result pass");
  assertEquals((await told(137)).at(-1), "case dirtyring-check --result fail");
});
