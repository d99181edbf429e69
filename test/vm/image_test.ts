// The part of an initramfs that is kept: what it holds, and that nothing else than what was kept is ever taken.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { createHash } from "node:crypto";
import { Elf } from "../../vm/elf.ts";
import { cacheFolder } from "../../vm/guest_request.ts";
import { baseImage, keepImage, keptImage } from "../../vm/initramfs.ts";
import { cpioEntries } from "../support/cpio_reader.ts";
import { elsewhere, NO_NAMESPACE } from "../support/elsewhere.ts";
import { Folder } from "../support/folder.ts";
import { testUnless } from "../support/live.ts";

const ROOT = new URL("../..", import.meta.url);
const NAME = "base-0123";
const IMAGE = [new Uint8Array([1, 2, 3]), new Uint8Array(1000).fill(7)];
const HOUR_MS = 3_600_000;
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

async function names(folder: Folder): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder.path))).map(({ name }) => name).sort();
}

Deno.test("an image that was kept is found under what it was made of, and nothing else", async () => {
  await using folder = await Folder.make();
  assertEquals(await keptImage(folder.path, NAME), null);
  await keepImage(folder.path, NAME, IMAGE);
  const found = await keptImage(folder.path, NAME);
  assertEquals([...await Deno.readFile(found!)], IMAGE.flatMap((piece) => [...piece]));
  assertEquals(await keptImage(folder.path, "base-012"), null);
  assertEquals((await names(folder)).length, 1);
});

Deno.test("an image that was tampered with is not taken, and goes", async () => {
  const damages: readonly ((path: string, bytes: Uint8Array) => Promise<void>)[] = [
    (path, bytes) => Deno.writeFile(path, bytes.map((byte, n) => n === 500 ? byte ^ 1 : byte)),
    (path, bytes) => Deno.writeFile(path, bytes.subarray(0, 999)),
    (path, bytes) => Deno.writeFile(path, new Uint8Array([...bytes, 0])),
    (path) => Deno.writeFile(path, new Uint8Array(0)),
    (path, bytes) => Deno.rename(path, `${path.slice(0, -1)}x`).then(() => void bytes),
    async (path) => {
      await Deno.remove(path);
      await Deno.mkdir(path);
      await Deno.writeTextFile(`${path}/file`, "");
    },
    async (path) => {
      await Deno.remove(path);
      await Deno.symlink("nowhere", path);
    },
  ];
  for (const [n, damage] of damages.entries()) {
    await using folder = await Folder.make();
    await keepImage(folder.path, NAME, IMAGE);
    const path = (await keptImage(folder.path, NAME))!;
    await damage(path, await Deno.readFile(path));
    assertEquals(await keptImage(folder.path, NAME), null, `damage ${n}`);
    assertEquals(await names(folder), [], `damage ${n}`);
    await keepImage(folder.path, NAME, IMAGE);
    assertEquals(await keptImage(folder.path, NAME), path, `damage ${n}`);
  }
});

testUnless(
  Deno.uid() === 0 ? "root may read all files" : null,
  "an image that may not be read is made anew",
  async () => {
    await using folder = await Folder.make();
    await keepImage(folder.path, NAME, IMAGE);
    await Deno.chmod((await keptImage(folder.path, NAME))!, 0);
    assertEquals(await keptImage(folder.path, NAME), null);
    assertEquals(await names(folder), []);
  },
);

Deno.test("old images and parts of processes that have gone go; what is in use, and is no image, stays", async () => {
  await using folder = await Folder.make();
  const ago = async (name: string, hours: number) => {
    const path = await folder.write(name, "x");
    await Deno.utime(path, new Date(), new Date(Date.now() - hours * HOUR_MS));
  };
  await ago("base-a-0", 5);
  await ago("base-b-0", 4);
  await ago("base-c-0", 3);
  await ago("base-d-0.1.part", 2);
  await ago("other", 9);
  await keepImage(folder.path, NAME, IMAGE);
  const kept = (await names(folder)).map((name) => name.slice(0, 9));
  assertEquals(kept, [NAME, "base-b-0", "base-c-0", "other"]);
  // One that is used is as good as new.
  await Deno.utime(`${folder.path}/base-b-0`, new Date(), new Date(Date.now() - 9 * HOUR_MS));
  const path = (await keptImage(folder.path, NAME))!;
  await Deno.utime(path, new Date(), new Date(Date.now() - 99 * HOUR_MS));
  assertEquals(await keptImage(folder.path, NAME), path);
  assert(Date.now() - (await Deno.stat(path)).mtime!.getTime() < HOUR_MS);
});

Deno.test("where it cannot be kept it is not", async () => {
  await using folder = await Folder.make();
  await keepImage(`${folder.path}/nowhere`, NAME, IMAGE);
  await folder.write("file");
  await keepImage(`${folder.path}/file`, NAME, IMAGE);
  assertEquals(await names(folder), ["file"]);
});

const url = (path: string) => JSON.stringify(new URL(path, ROOT).href);

/** The arguments with which Deno runs a script that may do all. */
async function scriptArgs(folder: Folder, text: string): Promise<string[]> {
  const flags = ["--quiet", "--no-config", "--no-lock", "--no-check", "--allow-all"];
  const map = ["--import-map", new URL("import_map.json", ROOT).pathname];
  return ["run", ...flags, ...map, await folder.write("script.ts", text)];
}

testUnless(NO_NAMESPACE, "on a disk that is full nothing is kept, and nothing left", async () => {
  await using folder = await Folder.make();
  const args = await scriptArgs(
    folder,
    `import { keepImage } from ${url("vm/initramfs.ts")};
     await keepImage(Deno.args[0], "${NAME}", [new Uint8Array(40000), new Uint8Array(80000)]);
     console.log((await Array.fromAsync(Deno.readDir(Deno.args[0]))).length);`,
  );
  await Deno.mkdir(`${folder.path}/disk`);
  const answers = [];
  for (const size of ["64k", "1m"]) {
    const mount = `mount -t tmpfs -o size=${size} none ${folder.path}/disk`;
    const { stdout, stderr } = await elsewhere(
      mount,
      [Deno.execPath(), ...args, `${folder.path}/disk`].join(" "),
    );
    answers.push(stdout.trim() + stderr);
  }
  assertEquals(answers, ["0", "1"]);
});

Deno.test("the cache is where the environment says, or nowhere", async () => {
  await using folder = await Folder.make();
  const script = await scriptArgs(
    folder,
    `import { cacheFolder } from ${url("vm/guest_request.ts")};
     console.log(await cacheFolder());`,
  );
  const at = async (env: Record<string, string>) => {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: script,
      clearEnv: true,
      env: { DENO_DIR: `${folder.path}/deno`, ...env },
    }).output();
    return decode(stdout).trim().replace(folder.path, "");
  };
  const home = { HOME: `${folder.path}/home` };
  const file = await folder.write("file");
  assertEquals(
    await Promise.all([
      at({ ...home, XDG_CACHE_HOME: `${folder.path}/xdg` }),
      at({ ...home, XDG_CACHE_HOME: "" }),
      at({}),
      at({ XDG_CACHE_HOME: file }),
    ]),
    ["/xdg/dirtyring/vm", "/home/.cache/dirtyring/vm", "null", "null"],
  );
  assertEquals((await Deno.stat(`${folder.path}/xdg/dirtyring/vm`)).mode! & 0o777, 0o700);
});

const CACHE = await cacheFolder();

testUnless(
  CACHE === null ? "there is no folder for a cache here" : null,
  "the image holds Deno, this program and its package, and is made once",
  async () => {
    const hashOf = async () => {
      const hash = createHash("sha256");
      for (const piece of await baseImage()) hash.update(piece);
      return hash.digest("hex");
    };
    const made = await hashOf();
    const found = async () =>
      (await Array.fromAsync(Deno.readDir(CACHE!))).find(({ name }) => name.endsWith(`-${made}`))!;
    const { ino } = await Deno.stat(`${CACHE}/${(await found()).name}`);
    assertEquals(await hashOf(), made);
    const path = `${CACHE}/${(await found()).name}`;
    assertEquals((await Deno.stat(path)).ino, ino);
    await lookAt(await Deno.readFile(path));
  },
);

// What is in an image.
async function lookAt(image: Uint8Array): Promise<void> {
  const entries = new Map(cpioEntries(image).map((entry) => [entry.name, entry]));
  const size = (name: string) => entries.get(name)?.body.length;
  assertEquals(size("bin/deno"), (await Deno.stat(Deno.execPath())).size);
  assertEquals(entries.get("bin/deno")!.mode & 0o111, 0o111);
  // Its loader is where it asks for it, itself or by links, and libc where the loader looks for it.
  const { interpreter } = Elf.of(entries.get("bin/deno")!.body)!;
  assertMatch(interpreter!, /^\/lib.*\/ld-[\w.-]+\.so\.\d+$/);
  const sonames = [...entries.values()].flatMap(({ body }) => Elf.of(body)?.soname ?? []);
  assert(sonames.includes("libc.so.6"), `${sonames}`);
  const isLink = (mode: number) => (mode & 0o170000) === 0o120000;
  let loader = entries.get(interpreter!.slice(1))!;
  while (isLink(loader.mode)) loader = entries.get(decode(loader.body).slice(1))!;
  assertMatch(Elf.of(loader.body)!.soname!, /^ld-/);
  for (const name of ["main.ts", "vm_init.ts", "vm_command.ts", "vm/init.ts", "import_map.json"]) {
    assertEquals(size(`dirtyring/${name}`), (await Deno.stat(new URL(name, ROOT))).size, name);
  }
  for (const name of ["proc", "sys", "dev", "tmp", "root"]) assertEquals(size(name), 0, name);
  const has = (pattern: RegExp) => [...entries.keys()].some((name) => pattern.test(name));
  assert(has(/^deno\/npm\/[^/]+\/deno-std\/[^/]+\/assert\/mod\.js$/), "its package");
  // A machine in software would need seconds to translate them. Of files with types alone Deno makes nothing.
  const sources = [...entries.keys()].filter((name) => /^dirtyring\/.*\.ts$/.test(name));
  const untranslated = sources.filter((name) => !entries.has(`deno/gen/file/${name}.js`));
  assertEquals(untranslated, ["dirtyring/types/std.d.ts"]);
  assert(!has(/\/(test|reference|docs|\.git|fast-check)\//), "nothing that it has no use for");
}
