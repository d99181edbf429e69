// Which of the program's files a command line opens. Deno opens all static imports before the first
// line runs, which takes a third of a millisecond each. An `import()` is opened only when it runs,
// as the launcher asks for that.
import { assert, assertEquals } from "@std/assert";
import { shell } from "../support/cli.ts";
import { inFolder } from "../support/folder.ts";
import { testUnless } from "../support/live.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
/** No part of a program that runs. */
const LEFT_OUT = ["reference", "coverage", "docs", "node_modules", "test"];
/**
 * When nothing was opened yet. A file system that notes readings at times does so where it was
 * written later.
 */
const NEVER = 0;
const WRITTEN = 1;

async function copy(folder: string): Promise<void> {
  const names = (await Array.fromAsync(Deno.readDir(ROOT), ({ name }) => name))
    .filter((name) => !name.startsWith(".") && !LEFT_OUT.includes(name));
  const { code, stderr } = await shell(`cp -r -- ${names.join(" ")} '${folder}'`, ROOT);
  assertEquals(code, 0, stderr);
}

async function sourcesBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) found.push(...await sourcesBelow(`${folder}/${name}`));
    else if (name.endsWith(".ts")) found.push(`${folder}/${name}`);
  }
  return found;
}

/**
 * Which sources of a copy a command line opens, by their access times; the copy is the command
 * line's alone.
 */
async function opened(folder: string, line: string): Promise<string[]> {
  const sources = await sourcesBelow(folder);
  await Promise.all(sources.map((path) => Deno.utime(path, NEVER, WRITTEN)));
  const { code, stderr } = await shell(line, folder);
  assert(code === 0 || code === 4, `${line}: ${stderr}`);
  return sources.filter((path) => Deno.statSync(path).atime?.getTime() !== NEVER)
    .map((path) => path.slice(folder.length + 1));
}

const NO_TIMES = await (async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, "x");
    await Deno.utime(file, NEVER, WRITTEN);
    await Deno.readTextFile(file);
    const { atime } = await Deno.stat(file);
    return atime?.getTime() === NEVER ? "files have no access times here" : null;
  } finally {
    await Deno.remove(file);
  }
})();

/**
 * The most that a command line may open: as many as it needs today. Without `/dev/kvm` it comes as
 * far as that.
 */
const MOST: readonly (readonly [string, number])[] = [
  ["--version", 28],
  ["help", 96],
  ["help dump", 60],
  ["probe --backend model", 64],
  ["dump", 54],
  ["dump --backend model", 70],
  ["stats --backend model", 77],
  ["run --backend model", 81],
  ["live --backend model --stores 2000", 87],
  ["check --backend model --only cap.acq-rel", 108],
  ["check --list", 79],
  ["checkpoint --backend model --epochs 2 --interval 20ms", 88],
];

testUnless(NO_TIMES, "a command opens no more of the program than it needs", async () => {
  await inFolder(async (folder) => {
    await copy(folder);
    // The first start of all looks at all of it, for packages to fetch.
    assertEquals((await shell("bin/dirtyring --version", folder)).code, 0);
    const counts: [string, number][] = [];
    for (const [line, most] of MOST) {
      const files = await opened(folder, `bin/dirtyring ${line}`);
      assert(files.includes("main.ts"), line);
      if (files.length > most) counts.push([line, files.length]);
      if (line === "dump") {
        assertEquals(
          files.filter((path) => /^(model|conformance|vm|commands\/(?!dump)\w+)\//.test(path)),
          [],
        );
      }
    }
    assertEquals(counts, []);
  });
});

testUnless(
  NO_TIMES,
  "without lazy imports a command works, and opens all of the program",
  async () => {
    await inFolder(async (folder) => {
      await copy(folder);
      const flags =
        "--quiet --no-prompt --allow-read --no-config --import-map import_map.json --no-lock";
      const line = `'${Deno.execPath()}' run ${flags} main.ts dump --backend model`;
      const files = await opened(folder, line);
      const late = [
        "conformance/statements/all_checks.ts",
        "commands/live/live.ts",
        "commands/bench/command.ts",
        "vm/machine.ts",
      ];
      assertEquals(late.filter((path) => !files.includes(path)), []);
      const lazy = await opened(
        folder,
        line.replace("run ", "run --unstable-lazy-dynamic-imports "),
      );
      assertEquals(late.filter((path) => lazy.includes(path)), []);
      assert(lazy.length < files.length);
    });
  },
);
