// What the launcher runs: no folder that one stands in, and nothing that another user may write, decides it.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { shell } from "../support/cli.ts";
import { LAUNCHER, LauncherHome } from "../support/launcher.ts";
import { testUnless } from "../support/live.ts";

const NOBODY = 65534;
const NOT_ROOT = Deno.uid() === 0 ? null : "only root can give files to another user";

type Damage = (home: LauncherHome, note: string) => Promise<void>;

// A note in the cache folder `shared/cache` that names `tools/deno`, a stand-in of the name `noted`.
async function noted(damage: Damage, cache = "shared/cache"): Promise<string> {
  await using home = await LauncherHome.make();
  await home.standIn("tools/deno", "noted");
  const note = await home.note("shared/cache", "tools/deno");
  await damage(home, note);
  return await home.runs({ env: { XDG_CACHE_HOME: home.at(cache) } });
}

Deno.test("the launcher runs what its note names, where nobody else may write any of it", async () => {
  assertEquals(await noted(async () => {}), "noted");
  const above: Damage = (home) => Deno.chmod(home.at("shared"), 0o1777);
  assertEquals(await noted(above), "noted", "a folder above may be as /tmp is");
  const linked: Damage = (home) => Deno.symlink("shared/cache", home.at("link"));
  assertEquals(await noted(linked, "link"), "noted", "a link of this user's");
});

Deno.test("the launcher's note is not used where others may write it, its folders, or the program", async () => {
  const names = ["shared", "shared/cache", "shared/cache/dirtyring", "tools", "tools/deno"];
  for (const mode of [0o777, 0o775, 0o757]) {
    for (const name of names) {
      const damage: Damage = (home) => Deno.chmod(home.at(name), mode);
      assertEquals(await noted(damage), "path", `${name} ${mode.toString(8)}`);
    }
    assertEquals(await noted((_, note) => Deno.chmod(note, mode & 0o666)), "path");
  }
  for (const name of ["shared/cache", "shared/cache/dirtyring", "tools"]) {
    const damage: Damage = (home) => Deno.chmod(home.at(name), 0o1777);
    assertEquals(await noted(damage), "path", `${name} sticky`);
  }
});

Deno.test("the launcher's note is not used where a link on the way leads through a folder of others", async () => {
  const through = async (first: string, second: string) =>
    await noted(async (home) => {
      await home.mkdir("open");
      await Deno.symlink(first, home.at("link"));
      await Deno.symlink(second, home.at("open/link"));
      await Deno.chmod(home.at("open"), 0o777);
    }, "link");
  assertEquals(await through("open/link", "../shared/cache"), "path");
  assertEquals(await through("open/../shared/cache", "nowhere"), "path");
  assertEquals(
    await noted((home) => Deno.symlink("link", home.at("link")), "link"),
    "path",
    "a link to itself",
  );
});

testUnless(
  NOT_ROOT,
  "the launcher's note is not used where any of it is another user's",
  async () => {
    const names = ["shared", "shared/cache", "shared/cache/dirtyring", "tools", "tools/deno"];
    for (const name of names) {
      const damage: Damage = (home) => Deno.chown(home.at(name), NOBODY, NOBODY);
      assertEquals(await noted(damage), "path", name);
    }
    assertEquals(await noted((_, note) => Deno.chown(note, NOBODY, NOBODY)), "path");
    // Where all may make links, as in /tmp, one that another made leads where that one wants.
    const linked: Damage = async (home) => {
      await home.mkdir("open");
      await Deno.chmod(home.at("open"), 0o1777);
      const line = `chown -h ${NOBODY} '${home.at("open/link")}'`;
      await Deno.symlink("../shared/cache", home.at("open/link"));
      assertEquals((await shell(line)).code, 0);
    };
    assertEquals(await noted(linked, "open/link"), "path");
  },
);

testUnless(
  NOT_ROOT,
  "root runs no program that another user left in a cache folder for all",
  async () => {
    await using home = await LauncherHome.make();
    await Deno.chmod(home.folder, 0o755);
    for (const [name, mode] of [["all", 0o777], ["tmp", 0o1777]] as const) {
      await home.mkdir(name);
      await Deno.chmod(home.at(name), mode);
      await home.standIn("made/tools/deno", "another");
      await home.note("made", "made/tools/deno");
      const made = `setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups cp -r '${
        home.at("made")
      }/.' '${home.at(name)}'`;
      assertEquals((await shell(made)).code, 0);
      const { stdout, stderr } = await home.start(["dump"], {
        env: { XDG_CACHE_HOME: home.at(name) },
      });
      assertMatch(stdout, /^path XDG_CACHE_HOME= /);
      assertMatch(stderr, /^dirtyring: XDG_CACHE_HOME is passed over: [^\n]+\n$/);
    }
  },
);

Deno.test("the launcher's note is not waited for where it is no file", async () => {
  const instead = async (make: (note: string, home: LauncherHome) => Promise<void>) =>
    await noted(async (home, note) => {
      await Deno.remove(note);
      await make(note, home);
    });
  const fifo = async (path: string) => assertEquals((await shell(`mkfifo '${path}'`)).code, 0);
  assertEquals(await instead(fifo), "path", "a pipe");
  const linkToFifo = async (note: string, home: LauncherHome) => {
    await fifo(home.at("pipe"));
    await Deno.symlink(home.at("pipe"), note);
  };
  assertEquals(await instead(linkToFifo), "path", "a link to a pipe");
  assertEquals(await instead((note) => Deno.symlink("/dev/zero", note)), "path", "a device");
  assertEquals(await instead((note) => Deno.mkdir(note)), "path", "a folder");
});

Deno.test("the launcher passes over a cache folder that is relative, for Deno as well", async () => {
  await using home = await LauncherHome.make();
  await home.standIn("tools/deno", "noted");
  await home.note("cache", "tools/deno");
  const env = { XDG_CACHE_HOME: "cache", DENO_DIR: "cache/deno" };
  const { stdout, stderr } = await home.start(["dump"], { env });
  assertMatch(stdout, /^path XDG_CACHE_HOME= DENO_DIR=\n/);
  assertEquals(stderr, "");
});

Deno.test("without the launcher, too, a cache folder that is relative is passed over", async () => {
  await using home = await LauncherHome.make();
  const module = new URL("../../vm/guest_request.ts", import.meta.url).href;
  const program = `import { cacheFolder } from ${JSON.stringify(module)};
    console.log(await cacheFolder());`;
  await Deno.writeTextFile(home.at("ask.ts"), program);
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--no-config", "--no-lock", "-A", home.at("ask.ts")],
    env: { HOME: home.at("home"), XDG_CACHE_HOME: "cache", DENO_DIR: await denoDir() },
    cwd: home.folder,
  }).output();
  assertEquals(new TextDecoder().decode(stdout), `${home.at("home/.cache/dirtyring/vm")}\n`);
});

Deno.test("the launcher passes over a cache folder that others may write, and says so", async () => {
  for (const name of ["cache", "cache/deno"]) {
    await using home = await LauncherHome.make();
    await home.mkdir("cache/deno");
    await Deno.chmod(home.at(name), 0o777);
    const { stdout, stderr } = await home.start(["dump"], {
      env: { XDG_CACHE_HOME: home.at("cache") },
    });
    assertMatch(stdout, /^path XDG_CACHE_HOME= /);
    assertEquals(
      stderr,
      `dirtyring: XDG_CACHE_HOME is passed over: somebody else may write ${home.at("cache")}, ` +
        "or a folder on the way to it\n",
    );
    // What was found is kept in HOME's.
    await home.standIn("other/deno", "kept");
    await home.note("home/.cache", "other/deno");
    const runs = await home.runs({ env: { XDG_CACHE_HOME: home.at("cache") } });
    assertEquals(runs, "kept");
  }
});

Deno.test("the launcher remembers nothing where others may write, and else for this user alone", async () => {
  await using home = await LauncherHome.make();
  assertEquals(await home.runs(), "path");
  const note = home.at("home/.cache/dirtyring/deno-2.9.6-of-path");
  assertEquals(await Deno.readTextFile(note), `${home.at("bin/deno")}\n`.repeat(2));
  const modes = ["home/.cache", "home/.cache/dirtyring"].map((name) =>
    Deno.statSync(home.at(name))
  );
  assertEquals([...modes, Deno.statSync(note)].map(({ mode }) => mode! & 0o777), [
    ...[0o700, 0o700, 0o600],
  ]);
  await Deno.remove(note);
  await Deno.chmod(home.at("home/.cache"), 0o777);
  assertEquals(await home.runs(), "path");
  assertEquals([...Deno.readDirSync(home.at("home/.cache/dirtyring"))], []);
});

Deno.test("the launcher takes no deno of the folder that one stands in", async () => {
  await using home = await LauncherHome.make();
  await home.standIn("hostile/deno", "hostile");
  await home.standIn("hostile/bin/deno", "hostile");
  const cwd = home.at("hostile");
  const good = `${home.at("bin")}:/usr/bin:/bin`;
  for (const PATH of [`:${good}`, `.:${good}`, `bin:./bin::${good}`, `../hostile:${good}:`, good]) {
    assertEquals(await home.runs({ cwd, env: { PATH } }), "path", PATH);
    await Deno.remove(home.at("home/.cache"), { recursive: true });
  }
});

Deno.test("what npx finds must answer as Deno 2.9 or newer before it is run or remembered", async () => {
  await using home = await LauncherHome.make();
  await Deno.remove(home.at("bin/deno"));
  const npx = async (answer: string) => {
    const script = `#!/bin/sh\necho "$PWD" >>'${home.at("stood")}'\necho '${answer}'\n`;
    await Deno.writeTextFile(home.at("bin/npx"), script, { mode: 0o755 });
  };
  await home.standIn("tools/old", "old", "2.8.9");
  await home.standIn("tools/relative", "relative");
  await home.standIn("tools/huge", "huge", "99999999999999999999.1.0");
  const wrong = [
    "",
    "tools/relative",
    home.at("tools"),
    home.at("tools/old"),
    home.at("tools/huge"),
  ];
  for (const answer of [...wrong, "/bin/true", "/bin/echo"]) {
    await npx(answer);
    const { code, stdout, stderr } = await home.start(["dump"]);
    assertEquals([code, stdout], [4, ""], answer);
    assertMatch(stderr, /^dirtyring: no Deno 2\.9\.6: [^\n]+\n$/);
    assertEquals((await home.start(["check", "--bisect"])).code, 125);
  }
  await assertNoNote(home);
  await home.standIn("tools/new", "new", "2.10.0");
  await npx(home.at("tools/new"));
  assertEquals(await home.runs({ cwd: home.at("tools") }), "new");
  const stood = (await Deno.readTextFile(home.at("stood"))).trim().split("\n");
  assertEquals(new Set(stood), new Set(["/"]));
});

async function assertNoNote(home: LauncherHome): Promise<void> {
  const found = await Deno.stat(home.at("home/.cache/dirtyring")).catch(() => null);
  assertEquals(found, null);
}

// npm's cache, from which it brings Deno without a network.
const NO_NPX = await (async () => {
  const line = "cd / && npx -y --offline --loglevel=silent deno@2.9.6 --version";
  return (await shell(line)).stdout.startsWith("deno 2.9.6")
    ? null
    : "npx has no Deno in its cache";
})();

testUnless(
  NO_NPX,
  "npx takes neither node_modules nor .npmrc of the folder that one stands in",
  async () => {
    await using home = await LauncherHome.make();
    await Deno.remove(home.at("bin/deno"));
    const wasThere = home.at("was-there");
    const evil = `#!/bin/sh\necho "$0 $*" >>'${wasThere}'\n`;
    const module = "hostile/node_modules/deno";
    await home.mkdir(module);
    await home.mkdir("hostile/node_modules/.bin");
    await Deno.writeTextFile(
      home.at(`${module}/package.json`),
      '{"name":"deno","version":"2.9.6","bin":{"deno":"bin.sh"}}',
    );
    await Deno.writeTextFile(home.at(`${module}/bin.sh`), evil, { mode: 0o755 });
    await Deno.symlink("../deno/bin.sh", home.at("hostile/node_modules/.bin/deno"));
    await Deno.writeTextFile(home.at("hostile/package.json"), '{"dependencies":{"deno":"2.9.6"}}');
    await home.mkdir("hostile/below");
    await home.mkdir("rc");
    await Deno.writeTextFile(home.at("rc/shell"), evil, { mode: 0o755 });
    await Deno.writeTextFile(home.at("rc/.npmrc"), `script-shell=${home.at("rc/shell")}\n`);
    await Deno.writeTextFile(home.at("rc/package.json"), "{}");
    const env = {
      ...Deno.env.toObject(),
      NPM_CONFIG_OFFLINE: "true",
      XDG_CACHE_HOME: home.at("cache"),
    };
    const path = (Deno.env.get("PATH") ?? "").split(":")
      .filter((folder) => !isFile(`${folder}/deno`)).join(":");
    for (const folder of ["hostile", "hostile/below", "rc"]) {
      await Deno.remove(home.at("cache"), { recursive: true }).catch(() => {});
      // Deno's own cache stays where it is: nothing is to be fetched.
      const { stdout, stderr } = await home.start(["--version"], {
        cwd: home.at(folder),
        env: { ...env, PATH: path, DENO_DIR: await denoDir() },
      });
      assertEquals(isFile(wasThere), false, folder);
      assertMatch(stdout, /^dirtyring \d/, stderr);
      assertEquals(isFile(home.at("cache/dirtyring/deno-2.9.6")), true);
    }
  },
);

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

async function denoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--no-config"],
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

Deno.test("Deno takes no configuration of the folder that one stands in, nor of those above the project", async () => {
  await using home = await LauncherHome.make();
  const root = new URL("../..", import.meta.url).pathname;
  const line = `cd '${root}' && cp -r --parents bin main.ts deno.json deno.lock import_map.json ` +
    `cli commands drive ffi guest host kvm machine memory report ring text vm '${
      home.at("above/dirtyring")
    }'`;
  await home.mkdir("above/dirtyring");
  assertEquals((await shell(line)).code, 0);
  const evil = "data:text/javascript,console.log('hostile');export const parseArgs=0";
  const map = JSON.stringify({ imports: { "@std/cli/parse-args": evil } });
  for (const folder of ["above", "hostile"]) {
    await home.mkdir(folder);
    await Deno.writeTextFile(home.at(`${folder}/map.json`), map);
    await Deno.writeTextFile(home.at(`${folder}/import_map.json`), map);
    await Deno.writeTextFile(
      home.at(`${folder}/deno.json`),
      JSON.stringify({ importMap: "./map.json", workspace: ["./dirtyring"], lock: false }),
    );
    await Deno.writeTextFile(home.at(`${folder}/package.json`), '{"type":"module"}');
    await Deno.writeTextFile(home.at(`${folder}/.npmrc`), "registry=http://127.0.0.1:9/\n");
  }
  await Deno.remove(home.at("bin/deno"));
  await Deno.symlink(Deno.execPath(), home.at("bin/deno"));
  for (const [cwd, launcher] of [["above", "above/dirtyring/bin/dirtyring"], ["hostile", ""]]) {
    const { code, stdout, stderr } = await home.start(["--version"], {
      cwd: home.at(cwd!),
      env: { DENO_DIR: await denoDir() },
      launcher: launcher === "" ? LAUNCHER : home.at(launcher!),
    });
    assertMatch(stdout, /^dirtyring \d[^\n]*\n$/);
    assertEquals([code, stderr], [0, ""]);
  }
});

for (const shellWords of [["dash"], ["busybox", "sh"], ["bash", "--posix"], ["bash"]]) {
  const name = shellWords.join(" ");
  const missing = (await shell(`${name} -c :`)).code === 0 ? null : `no ${name}`;
  testUnless(missing, `the launcher is the same to ${name}`, async () => {
    await using home = await LauncherHome.make();
    await home.standIn("tools/deno", "noted");
    await home.note("real/cache", "tools/deno");
    await Deno.symlink("real/cache", home.at("cache"));
    const how = { shell: shellWords, env: { XDG_CACHE_HOME: home.at("cache") } };
    const args = ["dump", "--pattern", "file:a b *", "--backend=model", "--output", "--", "$x `y`"];
    const first = await home.start(args, how);
    assertMatch(first.stdout, /^noted [^\n]+\nrun\n/);
    assertStringIncludes(first.stdout, `\n--allow-read\n--allow-write\n`);
    assert(first.stdout.endsWith(`/main.ts\n${args.join("\n")}\n`), first.stdout);
    await Deno.chmod(home.at("real"), 0o777);
    assertEquals((await home.start(args, how)).stdout.split(" ", 1), ["path"]);
  });
}

Deno.test("the launcher follows symbolic links and works from anywhere", async () => {
  await using home = await LauncherHome.make();
  await Deno.symlink(LAUNCHER, home.at("bin/first"));
  await Deno.symlink("first", home.at("bin/second"));
  const main = new URL("../../main.ts", import.meta.url).pathname;
  for (const launcher of ["../bin/second", "second", home.at("bin/first")]) {
    const { stdout } = await home.start(["--version"], { launcher, cwd: home.at("bin") });
    assertStringIncludes(stdout, `\n${main}\n--version\n`);
  }
});

Deno.test("the launcher takes a new deno of PATH, and no old one", async () => {
  await using home = await LauncherHome.make();
  const npx = "#!/bin/sh\nexit 1\n";
  await Deno.writeTextFile(home.at("bin/npx"), npx, { mode: 0o755 });
  await home.standIn("bin/deno", "new", "3.0.1");
  assertEquals(await home.runs(), "new");
  // What was found is remembered; a newer file at the same place is looked at again.
  await home.standIn("bin/deno", "old", "2.8.9");
  const later = new Date(Date.now() + 60_000);
  await Deno.utime(home.at("bin/deno"), later, later);
  assert(!(await home.runs()).startsWith("old"));
});
