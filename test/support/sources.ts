// The sources of the program as text, for the tests of test/house.
import type { Source } from "./imports.ts";

/** The project's folder. */
export const ROOT: URL = new URL("../..", import.meta.url);

/** Folders without sources of the program. */
const BESIDE = ["bin", "coverage", "docs", "node_modules", "reference", "test", "types"];

/** The programs: only they may print and exit. */
export const PROGRAMS: readonly string[] = [
  "check_child.ts",
  "main.ts",
  "vm_command.ts",
  "vm_init.ts",
  "vm_start.ts",
];

/** The library's main module, which re-exports what others export. */
export const FACE = "mod.ts";

/** All sources in folders, ordered by path. */
export async function sources(): Promise<Source[]> {
  const found: Source[] = [];
  for await (const { name, isDirectory } of Deno.readDir(ROOT)) {
    if (!isDirectory || name.startsWith(".") || BESIDE.includes(name)) continue;
    await readFolder(name, found);
  }
  return found.toSorted((one, other) => one.path < other.path ? -1 : 1);
}

/** The sources in the project's top folder. */
export async function programs(): Promise<Source[]> {
  const found: Source[] = [];
  for await (const { name } of Deno.readDir(ROOT)) {
    if (name.endsWith(".ts")) found.push(await readSource("", name));
  }
  return found;
}

/** All sources, by path. */
export async function allSources(): Promise<ReadonlyMap<string, Source>> {
  return new Map([...await sources(), ...await programs()].map((one) => [one.path, one]));
}

async function readFolder(folder: string, found: Source[]): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(`${folder}/`, ROOT))) {
    const path = `${folder}/${name}`;
    if (isDirectory) await readFolder(path, found);
    else if (name.endsWith(".ts")) found.push(await readSource(folder, path));
  }
}

async function readSource(folder: string, path: string): Promise<Source> {
  return { folder, path, text: await Deno.readTextFile(new URL(path, ROOT)) };
}
