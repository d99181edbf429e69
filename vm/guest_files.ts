// The files that every machine needs: this program, Deno with its libraries, and Deno's cache.
import { HostError } from "../ffi/errors.ts";
import { denoShortage } from "../host/exhaustion.ts";
import { readHostFile } from "../host/files.ts";
import type { ArchiveFile } from "./cpio.ts";
import { Elf } from "./elf.ts";
import { DENO, DENO_DIR, PROGRAM } from "./guest_request.ts";

const ROOT = new URL("..", import.meta.url);
/** Folders of the project that a running program does not need. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  "test",
  "reference",
  "docs",
  "coverage",
  "node_modules",
]);
/** The npm package that commands need. Other packages are only for tests. */
const PACKAGE = "deno-std";
/**
 * Where npm's package of this program has it, which the import map there leads to. In a checkout
 * the import map leads to Deno's cache.
 */
const BUNDLED = `node_modules/${PACKAGE}/`;

/** The part of `deno info --json` that is used. */
interface DenoInfo {
  readonly npmCache: string;
  readonly typescriptCache: string;
}

/**
 * The program's own files.
 *
 * @returns The files, below {@linkcode PROGRAM}.
 */
export async function programFiles(): Promise<ArchiveFile[]> {
  const paths = await filesBelow(folderOf(ROOT), isOfProgram);
  if ((await Deno.readTextFile(new URL("import_map.json", ROOT))).includes(`"./${BUNDLED}`)) {
    const bundled = await filesBelow(folderOf(new URL(BUNDLED, ROOT)), () => true);
    paths.push(...bundled.map((path) => `${BUNDLED}${path}`));
  }
  const files: ArchiveFile[] = [];
  for (const path of paths) {
    files.push({ path: `${PROGRAM}/${path}`, content: await Deno.readFile(new URL(path, ROOT)) });
  }
  return files;
}

/** Files of a running program that are no sources. */
const BESIDE_SOURCES: ReadonlySet<string> = new Set(["COMMIT", "deno.json", "import_map.json"]);

function isOfProgram(name: string, isFolder: boolean): boolean {
  if (isFolder) return !LEFT_OUT.has(name) && !name.startsWith(".");
  return name.endsWith(".ts") || BESIDE_SOURCES.has(name);
}

/**
 * Deno, and the shared libraries that this Deno process has loaded: Deno in the machine will need
 * the same.
 *
 * @throws {HostError} Where Deno is not an ELF file, such as a script.
 */
export async function denoFiles(): Promise<ArchiveFile[]> {
  const path = Deno.execPath();
  const content = await Deno.readFile(path);
  const program = Elf.of(content);
  if (program === null) throw new HostError(`${path}: is no program`, "run bin/dirtyring");
  const files: ArchiveFile[] = [{ path: DENO, content, isProgram: true }];
  // Deno refuses to read /proc without all permissions; libc does not.
  const maps = new TextDecoder().decode(readHostFile("/proc/self/maps"));
  const mapped = new Set(maps.split("\n").map((line) => line.split(/\s+/, 6)[5] ?? ""));
  for (const library of mapped) {
    if (!/\/[^/]*\.so(\.[\d.]+)?$/.test(library)) continue;
    const bytes = await Deno.readFile(library);
    files.push({ path: library, content: bytes, isProgram: true });
    // Programs ask for a library by its soname, and for the loader by its path.
    const name = Elf.of(bytes)?.soname ?? null;
    const folder = library.slice(0, library.lastIndexOf("/"));
    if (name !== null && library !== `${folder}/${name}`) {
      files.push({ path: `${folder}/${name}`, content: { link: library } });
    }
    const { interpreter } = program;
    if (interpreter !== null && interpreter !== library && interpreter.endsWith(`/${name}`)) {
      files.push({ path: interpreter, content: { link: library } });
    }
  }
  return files;
}

/**
 * The part of Deno's cache that commands need: the package, where the program does not bring it,
 * and the program's files as JavaScript, so that the machine does not transpile them again.
 *
 * @param program The program's files.
 * @returns The files, below {@linkcode DENO_DIR}.
 * @throws {HostError} Where a package is not in the cache.
 */
export async function cachedFiles(program: readonly ArchiveFile[]): Promise<ArchiveFile[]> {
  const { npmCache, typescriptCache } = await denoInfo();
  const files: ArchiveFile[] = [];
  const isBundled = program.some(({ path }) => path.startsWith(`${PROGRAM}/${BUNDLED}`));
  const all = isBundled ? [] : await filesBelow(npmCache, () => true);
  const packages = all.filter((path) => path.split("/")[1] === PACKAGE);
  if (packages.length === 0 && !isBundled) {
    throw new HostError(`${npmCache}: npm's ${PACKAGE} is not there`, "run bin/dirtyring once");
  }
  for (const path of packages) {
    files.push({
      path: `${DENO_DIR}/npm/${path}`,
      content: await Deno.readFile(`${npmCache}/${path}`),
    });
  }
  const translated = `${typescriptCache}/file${folderOf(ROOT)}`;
  for (const { path } of program) {
    const file = `${path.slice(PROGRAM.length + 1)}.js`;
    const content = await Deno.readFile(`${translated}${file}`).catch(() => null);
    if (content !== null) files.push({ path: `${DENO_DIR}/gen/file${PROGRAM}/${file}`, content });
  }
  return files;
}

async function denoInfo(): Promise<DenoInfo> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--no-config"],
  }).output();
  const short = success ? null : denoShortage("deno info", new TextDecoder().decode(stderr));
  if (short !== null) throw short;
  return JSON.parse(new TextDecoder().decode(stdout));
}

function folderOf(url: URL): string {
  return decodeURIComponent(url.pathname);
}

// Lists the files below a folder, by paths relative to it; none where the folder does not exist.
async function filesBelow(
  folder: string,
  isWanted: (name: string, isFolder: boolean) => boolean,
): Promise<string[]> {
  const found: string[] = [];
  const walk = async (below: string): Promise<void> => {
    for await (const { name, isDirectory, isFile } of Deno.readDir(`${folder}/${below}`)) {
      const path = `${below}${name}`;
      if (!isWanted(name, isDirectory)) continue;
      if (isDirectory) await walk(`${path}/`);
      else if (isFile) found.push(path);
    }
  };
  try {
    await walk("");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return found.sort();
}
