// What a package of this program holds: what `deno publish` would send, and what is asked of such a list.
import { edgesOf, resolved } from "./imports.ts";

const ROOT = new URL("../..", import.meta.url);

/** What is no source, and in every package: to run it, and to read. */
const BESIDE_SOURCES: readonly string[] = [
  "CHANGELOG.md",
  "LICENSE",
  "README.md",
  "bin/dirtyring",
  "deno.json",
  "deno.lock",
  "docs/library.md",
  "import_map.json",
  "types/std.d.ts",
];

/** What a machine of `--kernel` starts by its name: no source imports it. */
const STARTED_BY_NAME: readonly string[] = ["vm_command.ts", "vm_init.ts"];

/** Folders of which nothing belongs into a package. */
const KEPT_HERE: readonly string[] = [
  ".ci",
  ".git",
  "reference",
  "coverage",
  "node_modules",
  "test",
];

/** What deno.json says of the package. */
export interface Project {
  /** Its scoped name. */
  readonly name: string;
  /** Its version. */
  readonly version: string;
  /** Its license. */
  readonly license: string;
  /** What can be imported of it, or run: the file of each entry. */
  readonly exports: Readonly<Record<string, string>>;
}

/** All that a package has to hold. */
export async function neededFiles({ exports }: Project): Promise<string[]> {
  const reached = await reachedFrom([...Object.values(exports), ...STARTED_BY_NAME]);
  return [...reached, ...BESIDE_SOURCES];
}

/** Reads deno.json. */
export async function project(): Promise<Project> {
  return JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
}

/**
 * All files that a package's entries lead to: what they import, at once or late, types among it, and what they start as
 * a thread or a process.
 *
 * @param entries The entries' files, from the project's folder on.
 * @param read Reads a file.
 * @returns The files, from the project's folder on.
 */
export async function reachedFrom(
  entries: readonly string[],
  read = (path: string) => Deno.readTextFile(new URL(path, ROOT)),
): Promise<string[]> {
  const found = new Set(entries.map((one) => one.replace(/^\.\//, "")));
  // A set that grows while it is walked hands out what was added too.
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
 * What does not hold for a package's list of files.
 *
 * @param packed The list, from the package's folder on.
 * @param needed What it has to hold.
 * @returns A line for each file that is missing, or does not belong there.
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
 * @param text What it printed, on both streams.
 * @param root The project's folder, as a URL.
 * @returns The files, from that folder on.
 */
export function publishedFiles(text: string, root: string): string[] {
  const lines = text.matchAll(/^ +(file:\/\/\S+) \([\d.]+\w+\)$/gm);
  return [...lines].map(([, url]) => decodeURI(url!.replace(root, "")));
}
