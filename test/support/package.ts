// The content of this program's packages: the files that `deno publish` would send, and checks of
// that list.
import { edgesOf, resolved } from "./imports.ts";

const ROOT = new URL("../..", import.meta.url);

/** Files that are no sources and belong into every package. */
const BESIDE_SOURCES: readonly string[] = [
  "CHANGELOG.md",
  "LICENSE",
  "README.md",
  "bin/dirtyring",
  "deno.json",
  "deno.lock",
  "docs/library.md",
  "docs/results.md",
  "import_map.json",
  "types/std.d.ts",
];

/** The folder of the schemas of results, which belong into every package, too. */
const SCHEMAS = "docs/schemas/";

/** Programs that a machine of `--kernel` starts by name: no source imports them. */
const STARTED_BY_NAME: readonly string[] = ["vm_command.ts", "vm_init.ts"];

/** Folders that do not belong into a package. */
const KEPT_HERE: readonly string[] = [
  ".ci",
  ".git",
  "reference",
  "coverage",
  "node_modules",
  "test",
];

/** The part of deno.json that describes the package. */
export interface Project {
  /** Its scoped name. */
  readonly name: string;
  /** Its version. */
  readonly version: string;
  /** Its license. */
  readonly license: string;
  /** The file of each entry that can be imported or run. */
  readonly exports: Readonly<Record<string, string>>;
}

/** All files that a package has to contain. */
export async function neededFiles({ exports }: Project): Promise<string[]> {
  const reached = await reachedFrom([...Object.values(exports), ...STARTED_BY_NAME]);
  return [...reached, ...BESIDE_SOURCES, ...await schemaFiles()];
}

// Who reads results validates them with the schemas of the program that wrote them.
async function schemaFiles(): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir(new URL(SCHEMAS, ROOT))) found.push(SCHEMAS + name);
  return found;
}

/** Reads deno.json. */
export async function project(): Promise<Project> {
  return JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
}

/**
 * All files that a package's entries lead to: those that they import, statically, dynamically or as
 * types, and those that they start as a thread or a process.
 *
 * @param entries The entries' files, relative to the project's folder.
 * @param read Reads a file.
 * @returns The files, relative to the project's folder.
 */
export async function reachedFrom(
  entries: readonly string[],
  read = (path: string) => Deno.readTextFile(new URL(path, ROOT)),
): Promise<string[]> {
  const found = new Set(entries.map((one) => one.replace(/^\.\//, "")));
  // Iterating a set also visits the elements that are added meanwhile.
  for (const path of found) {
    if (!path.endsWith(".ts")) continue;
    for (const { target } of edgesOf(await read(path))) {
      const file = resolved(path, target);
      if (file !== target || target.endsWith(".ts")) found.add(file);
    }
  }
  return [...found].sort();
}

/**
 * Checks a package's list of files.
 *
 * @param packed The list, relative to the package's folder.
 * @param needed The files that it must contain.
 * @returns A line for each file that is missing or does not belong there.
 */
export function packingProblems(packed: readonly string[], needed: readonly string[]): string[] {
  const missing = needed.filter((one) => !packed.includes(one));
  const strange = packed.filter((one) => KEPT_HERE.includes(one.split("/")[0]!));
  return [
    ...missing.map((one) => `${one} is missing`),
    ...strange.map((one) => `${one} does not belong into it`),
  ];
}

/**
 * The files that `deno publish --dry-run` says it would send.
 *
 * @param text Its output, of both streams.
 * @param root The project's folder, as a URL.
 * @returns The files, relative to that folder.
 */
export function publishedFiles(text: string, root: string): string[] {
  const lines = text.matchAll(/^ +(file:\/\/\S+) \([\d.]+\w+\)$/gm);
  return [...lines].map(([, url]) => decodeURI(url!.replace(root, "")));
}
