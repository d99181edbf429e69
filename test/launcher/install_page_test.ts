// docs/install.md: what it names is there, and `deno install` does what it says.
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Folder } from "../support/folder.ts";
import { project } from "../support/package.ts";

const ROOT = new URL("../..", import.meta.url);
const DOCS = new URL("docs/", ROOT);

const page = (name: string) => Deno.readTextFile(new URL(name, DOCS));

Deno.test("docs/install.md names the file that npm pack makes, and the Deno that the launcher wants", async () => {
  const text = await page("install.md");
  const { name, version } = await project();
  const packed = `${name.replace(/^@/, "").replace("/", "-")}-${version}.tgz`;
  assertEquals(new Set(text.match(/dirtyring-dirtyring-[\w.-]+/g)), new Set([packed]));
  const launcher = await Deno.readTextFile(new URL("bin/dirtyring", ROOT));
  const [, wanted] = /^wanted=(\S+)$/m.exec(launcher)!;
  const named = text.match(/(?:deno@|deno-|Deno |brings )\d+\.\d+\.\d+/g)!;
  assertEquals(new Set(named.map((one) => one.replace(/^\D+/, ""))), new Set([wanted]));
});

Deno.test("deno install as docs/install.md has it gives a dirtyring that works", async () => {
  const [line] = (await page("install.md")).match(/(?<=^ {4}deno )install --global .*$/m)!;
  await using folder = await Folder.make();
  const env = { DENO_INSTALL_ROOT: folder.path, NO_COLOR: "1" };
  const installed = await new Deno.Command(Deno.execPath(), {
    args: line.split(" "),
    cwd: ROOT,
    env,
  }).output();
  assertEquals([installed.code, new TextDecoder().decode(installed.stderr)], [0, ""]);
  await Deno.symlink(Deno.execPath(), `${folder.path}/deno`);
  const { code, stdout, stderr } = await new Deno.Command(`${folder.path}/bin/dirtyring`, {
    args: [
      "check",
      "--backend",
      "model",
      "--only",
      "enable.*",
      "--output",
      "-",
      "--output",
      "a.xml",
    ],
    cwd: folder.path,
    env: { ...env, PATH: `${folder.path}:/usr/bin:/bin` },
  }).output();
  assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  assertMatch(new TextDecoder().decode(stdout), /\n\d+ checks: (\d+) passed, 0 failed/);
  assertStringIncludes(await Deno.readTextFile(`${folder.path}/a.xml`), "<testsuite");
});
