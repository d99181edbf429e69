// A registry that cannot be reached: one line that says what to do, and the status of what could
// not be asked.
import { assertEquals, assertMatch } from "@std/assert";
import { shell } from "../support/cli.ts";
import { LauncherHome } from "../support/launcher.ts";
import { testUnless } from "../support/live.ts";

const NO_NPX = (await shell("PATH=/usr/bin:/bin command -v npx")).code === 0 ? null : "no npx";
/** Nothing listens there. */
const NPM_CONFIG_REGISTRY = "http://127.0.0.1:9/";

const CASES: readonly [args: readonly string[], code: number][] = [
  [["dump", "--backend", "model"], 4],
  [["check", "--bisect"], 125],
];

testUnless(
  NO_NPX,
  "without Deno and without a registry the launcher says so in a line",
  async () => {
    await using home = await LauncherHome.make();
    await Deno.remove(home.at("bin/deno"));
    for (const [args, expected] of CASES) {
      const { code, stdout, stderr } = await home.start(args, { env: { NPM_CONFIG_REGISTRY } });
      assertEquals([code, stdout], [expected, ""]);
      assertEquals(
        stderr,
        "dirtyring: no Deno 2.9.6: npx brings none (ECONNREFUSED); put deno 2.9 or newer on PATH, " +
          "or let npm reach its registry once\n",
      );
    }
  },
);

Deno.test("without the package that commands need, and without a registry, the launcher says so in a line", async () => {
  await using home = await LauncherHome.make();
  await Deno.remove(home.at("bin/deno"));
  await Deno.symlink(Deno.execPath(), home.at("bin/deno"));
  for (const [args, expected] of CASES) {
    const { code, stdout, stderr } = await home.start(args, { env: { NPM_CONFIG_REGISTRY } });
    assertEquals([code, stdout], [expected, ""]);
    assertMatch(
      stderr,
      /^dirtyring: npm's deno-std cannot be fetched, [^\n]*deno-std[^\n]*: [^\n]*refused[^\n]*; [^\n]+ once\n$/i,
    );
  }
});

Deno.test("without Deno, and without npm, the launcher says so in a line", async () => {
  await using home = await LauncherHome.make();
  await Deno.remove(home.at("bin/deno"));
  for (const name of ["timeout", "sh", "stat", "sed", "tail", "readlink", "mkdir", "head", "tr"]) {
    const { stdout } = await shell(`command -v ${name}`);
    await Deno.symlink(stdout.trim(), home.at(`bin/${name}`));
  }
  const { code, stdout, stderr } = await home.start(["--version"], {
    env: { PATH: home.at("bin") },
    shell: ["/bin/sh"],
  });
  assertEquals([code, stdout], [4, ""]);
  assertEquals(
    stderr,
    "dirtyring: no Deno 2.9.6: put deno 2.9 or newer on PATH, or install Node with npm\n",
  );
});
