// What `npm install -g` makes of the packed file: `dirtyring` on PATH, which needs no network from
// then on. It is run in an empty HOME, in a network namespace without any route.
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Installed, NO_NETWORK_NAMESPACE, NO_REGISTRY } from "../support/installed.ts";
import { testUnless } from "../support/live.ts";
import { commit } from "../support/npm_package.ts";

const DENO = "node_modules/@deno/linux-x64-glibc/deno";
const REASON = NO_REGISTRY ?? NO_NETWORK_NAMESPACE;

async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

testUnless(
  REASON,
  "what npm installs of the packed file works offline, in an empty HOME",
  async () => {
    await using installed = await Installed.make();
    await worksOffline(installed);
    await isWhole(installed);
    await worksInProject(installed);
    await suppliesMachines(installed);
    await installed.uninstall();
    assertEquals(await isThere(installed.at("prefix/bin/dirtyring")), false);
    assertEquals(await isThere(installed.file("main.ts")), false);
  },
);

async function worksOffline(installed: Installed): Promise<void> {
  const works = async (args: readonly string[], shows: RegExp) => {
    const { code, stdout, stderr } = await installed.offline("dirtyring", ...args);
    assertEquals([code, stderr], [0, ""], args.join(" "));
    assertMatch(stdout, shows);
  };
  await works(["--version"], /^dirtyring \d+\.\d+\.\d+/);
  await works(["dump", "--backend", "model"], /\nvCPU 0 {2}KVM_EXIT_HLT after \d+ stores/);
  await works(["live", "--backend", "model", "--stores", "2000"], /2000/); // a thread of its own
  // A process of its own, and a file beside the one that one stands in.
  const only = ["check", "--backend", "model", "--only", "enable.*"];
  await works(only, /\n\d+ checks: (\d+) passed, 0 failed, 0 skipped/);
  await works([...only, "--format", "junit", "--output", "result.xml"], /^/);
  assertStringIncludes(await Deno.readTextFile(installed.at("home/result.xml")), "<testsuite");

  // The Deno that npm installed, not one that happened to be on PATH.
  const note = await Deno.readTextFile(installed.at("home/.cache/dirtyring/deno-2.9.6-of-npm"));
  const deno = installed.file(DENO);
  assertEquals(note, `${deno}\n${deno}\n`);
}

async function isWhole(installed: Installed): Promise<void> {
  // Made of a clean checkout it knows its commit.
  const made = await commit();
  assertEquals(await isThere(installed.file("COMMIT")), made !== null);
  if (made !== null) {
    assertEquals(await Deno.readTextFile(installed.file("COMMIT")), `${made}\n`);
    assertMatch(made, /^[0-9a-f]{40}$/);
  }

  // It has its Deno from nowhere else: without it there is a line, as without any.
  const deno = installed.file(DENO);
  await Deno.rename(deno, `${deno}.gone`);
  const ask = () => installed.offline("dirtyring", "--version");
  const { code, stdout, stderr } = await ask();
  assertEquals([code, stdout], [4, ""]);
  assertMatch(stderr, /^dirtyring: no Deno 2\.9\.6: [^\n]+\n$/);
  await Deno.rename(`${deno}.gone`, deno);
  // And so it is with the package that commands need.
  const std = installed.file("node_modules/deno-std");
  await Deno.rename(std, `${std}.gone`);
  assertEquals((await ask()).code === 0, false);
  await Deno.rename(`${std}.gone`, std);
  assertEquals((await ask()).code, 0);
}

// There npm shares what the package depends on.
async function worksInProject(installed: Installed): Promise<void> {
  await installed.installInto("project");
  const modules = installed.at("project/node_modules");
  assertEquals(await isThere(`${modules}/@dirtyring/dirtyring/node_modules/@deno`), false);
  const { code, stdout, stderr } = await installed.offline(
    `${modules}/.bin/dirtyring`,
    ...["check", "--backend", "model", "--only", "cap.*"],
  );
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /\n\d+ checks: (\d+) passed, 0 failed/);
}

const LIST = `
import { cachedFiles, programFiles } from "./vm/guest_files.ts";
const program = await programFiles();
for (const { path, content } of program) {
  const to = Deno.args[0] + path;
  await Deno.mkdir(to.slice(0, to.lastIndexOf("/")), { recursive: true });
  await Deno.writeFile(to, content);
}
console.log((await cachedFiles(program)).filter(({ path }) => path.includes("/npm/")).length);
`;

// What a machine of --kernel is sent runs by itself.
async function suppliesMachines(installed: Installed): Promise<void> {
  const script = installed.file("list.ts");
  await Deno.writeTextFile(script, LIST);
  const flags = ["run", "--quiet", "--no-prompt", "--no-config", "--no-check", "--allow-all"];
  const run = async (folder: string, ...args: string[]) => {
    const map = `--import-map=${folder}/import_map.json`;
    return await installed.offline(installed.file(DENO), ...flags, map, ...args);
  };
  const listed = await run(installed.file("."), script, installed.at("machine"));
  assertEquals([listed.code, listed.stdout, listed.stderr], [0, "0\n", ""]);
  const program = installed.at("machine/dirtyring");
  const { code, stdout, stderr } = await run(program, `${program}/main.ts`, "--version");
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^dirtyring \d/);
  assertEquals(await isThere(`${program}/COMMIT`), await isThere(installed.file("COMMIT")));
  await Deno.remove(script);
}
