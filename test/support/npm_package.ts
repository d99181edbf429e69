// What npm's package has beside the files of this checkout, so that it works without a network once
// npm has installed it: Deno as a dependency, the npm packages of import_map.json in its own
// node_modules, an import map that leads there, and the commit that it was made of.
import type { Project } from "./package.ts";

const ROOT = new URL("../..", import.meta.url);

/**
 * Deno's program alone. npm's `deno` has it too, with a script that npm must run at installation,
 * and a second copy where files cannot be linked.
 */
const DENO_PACKAGE = "@deno/linux-x64-glibc";

/** An npm package that import_map.json names. */
export interface Bundled {
  readonly name: string;
  readonly version: string;
}

/** An import map of npm's package, and the packages that it leads to. */
export interface BundledImports {
  /** The text of import_map.json. */
  readonly importMap: string;
  readonly packages: readonly Bundled[];
}

/**
 * An import map whose targets are files of the package's own node_modules.
 *
 * @param text The text of the checkout's import_map.json.
 * @throws {Error} Where a target is no file of an npm package with its exact version.
 */
export function bundledImports(text: string): BundledImports {
  const { imports }: { imports: Readonly<Record<string, string>> } = JSON.parse(text);
  const packages = new Map<string, Bundled>();
  const targets = Object.entries(imports).map(([specifier, target]) => {
    const [, name, version, file] = /^npm:(@?[^@]+)@(\d+\.\d+\.\d+)\/(.+)$/.exec(target) ?? [];
    if (name === undefined || version === undefined) {
      throw new Error(`import_map.json: ${target} is not npm:NAME@VERSION/FILE`);
    }
    packages.set(`${name}@${version}`, { name, version });
    return [specifier, `./node_modules/${name}/${file}`];
  });
  const importMap = `${JSON.stringify({ imports: Object.fromEntries(targets) }, null, 2)}\n`;
  return { importMap, packages: [...packages.values()] };
}

/**
 * The package.json. It has no list of files: all files of the folder go into the tarball.
 *
 * @param about The package's description in deno.json.
 * @param launcher The text of bin/dirtyring, which names the Deno that it was made for.
 * @param packages The npm packages that the tarball contains.
 */
export function manifest(
  { name, version, license }: Project,
  launcher: string,
  packages: readonly Bundled[],
): string {
  const deno = /^wanted=(\d+\.\d+\.\d+)$/m.exec(launcher)?.[1];
  if (deno === undefined) throw new Error("bin/dirtyring names no Deno");
  const bundled = packages.map((one) => [one.name, one.version]);
  const packed = {
    ...{ name, version, description: "A laboratory for KVM's dirty ring", license },
    ...{ type: "module", os: ["linux"], cpu: ["x64"], libc: ["glibc"] },
    bin: { dirtyring: "bin/dirtyring" },
    dependencies: { [DENO_PACKAGE]: deno, ...Object.fromEntries(bundled) },
    bundleDependencies: packages.map((one) => one.name),
  };
  return `${JSON.stringify(packed, null, 2)}\n`;
}

/**
 * The commit of this checkout, for the file COMMIT.
 *
 * @returns Its full hash; `null` without git, or where files differ from it.
 */
export async function commit(): Promise<string | null> {
  const git = async (...args: string[]) => {
    const { success, stdout } = await new Deno.Command("git", {
      args: ["-c", "safe.directory=*", ...args],
      cwd: ROOT,
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout).trim() : null;
  };
  try {
    return await git("status", "--porcelain") === "" ? await git("rev-parse", "HEAD") : null;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/**
 * Copies npm packages as Deno's cache has them; Deno held them against deno.lock as it fetched them.
 *
 * @param folder The node_modules to make.
 */
export async function bundle(packages: readonly Bundled[], folder: string): Promise<void> {
  const lock = ["--lock=deno.lock", "--frozen"];
  await deno("cache", "--quiet", ...lock, "main.ts");
  const { npmCache }: { npmCache: string } = JSON.parse(await deno("info", "--json"));
  for (const { name, version } of packages) {
    // Below the cache there is a folder for each registry.
    const found: string[] = [];
    for await (const { name: host } of Deno.readDir(npmCache)) {
      const path = `${npmCache}/${host}/${name}/${version}`;
      if (await isFolder(path)) found.push(path);
    }
    if (found.length === 0) throw new Error(`${npmCache}: ${name}@${version} is not there`);
    await copyFolder(found[0]!, `${folder}/${name}`);
  }
}

async function deno(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT })
    .output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (!success) throw new Error(`deno ${args.join(" ")}: ${err}`);
  return out!;
}

async function isFolder(path: string): Promise<boolean> {
  return (await Deno.stat(path).catch(() => null))?.isDirectory ?? false;
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    // What Deno itself keeps beside a package's files.
    if (name.startsWith(".")) continue;
    if (isDirectory) await copyFolder(`${from}/${name}`, `${to}/${name}`);
    else await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}
