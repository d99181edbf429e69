// Builds the initramfs of a machine. The large part that all machines share is cached.
import { createHash } from "node:crypto";
import { type MemoryFile, memoryFile } from "../ffi/process.ts";
import { cylinderRest } from "./boot_disk.ts";
import { type ArchiveFile, cpio } from "./cpio.ts";
import { cachedFiles, denoFiles, programFiles } from "./guest_files.ts";
import {
  cacheFolder,
  type GuestRequest,
  MODULES,
  PROGRAM,
  REQUEST,
  STAGED,
  STDIN,
} from "./guest_request.ts";
import type { KernelModule } from "./kernel_modules.ts";

/** The content of a machine besides the program. */
export interface MachineContent {
  /** The request. */
  readonly request: GuestRequest;
  /** The modules that the request names. */
  readonly modules: readonly KernelModule[];
  /** The host's files that the command reads, by absolute path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /**
   * The host's folders that the command reads, by absolute path. Listed because one may be empty.
   */
  readonly folders: readonly string[];
  /** The command's standard input, or `null`. */
  readonly stdin: Uint8Array | null;
}

/**
 * Builds an initramfs: the part that all machines share, followed by an archive with the request
 * for this machine. Zeros between the two, which a kernel skips, fill it up to the length of a
 * disk.
 *
 * @throws {HostError} Where a file cannot be found, or memory is short.
 */
export async function initramfs(content: MachineContent): Promise<MemoryFile> {
  const { request, modules, files, folders, stdin } = content;
  const json = new TextEncoder().encode(JSON.stringify(request));
  const own: ArchiveFile[] = [
    { path: REQUEST, content: json },
    ...modules.map(({ name, image }) => ({ path: `${MODULES}/${name}.ko`, content: image })),
    ...[...files].map(([path, bytes]) => ({ path: `${STAGED}${path}`, content: bytes })),
    ...(stdin === null ? [] : [{ path: STDIN, content: stdin }]),
  ];
  const base = await baseImage();
  return memoryFile("initramfs", both(base, cpio(own, folders.map((one) => STAGED + one))));
}

function* both(first: Iterable<Uint8Array>, second: Iterable<Uint8Array>): Generator<Uint8Array> {
  const behind = [...second];
  let length = behind.reduce((sum, piece) => sum + piece.length, 0);
  for (const piece of first) {
    length += piece.length;
    yield piece;
  }
  yield new Uint8Array(cylinderRest(length));
  yield* behind;
}

/** Folders that the machine mounts file systems on or writes to. */
const EMPTY = ["/proc", "/sys", "/dev", "/tmp", "/root"];
/** How many images are kept: that of this version, and of others that may be in use, too. */
const KEPT = 3;
const HOUR_MS = 3_600_000;
const PIECE_BYTES = 1 << 20;

let found: Promise<() => Iterable<Uint8Array>> | undefined;

/**
 * The part of the initramfs that is the same for every kernel: Deno with its libraries, this
 * program, and its packages. It is cached under a name with two hashes, one of its sources and one
 * of its content, and rebuilt where either does not match. A process looks for it only once,
 * however many machines it starts.
 *
 * @returns The archive, in pieces.
 * @throws {HostError} Where Deno or a package cannot be found.
 */
export async function baseImage(): Promise<Iterable<Uint8Array>> {
  found ??= findImage();
  return (await found)();
}

async function findImage(): Promise<() => Iterable<Uint8Array>> {
  const program = await programFiles();
  const made = createHash("sha256");
  for (const { path, content } of program) {
    if ("link" in content) continue;
    made.update(`${path}\0${content.length}\0`);
    made.update(content);
  }
  const { size, mtime } = await Deno.stat(Deno.execPath());
  made.update(`${Deno.execPath()}\0${size}\0${mtime?.getTime()}\0${Deno.version.deno}`);
  const name = `base-${made.digest("hex").slice(0, 32)}`;
  const folder = await cacheFolder();
  const kept = folder === null ? null : await keptImage(folder, name);
  if (kept !== null) return () => piecesOf(kept);
  await translate(program.map(({ path }) => path.slice(PROGRAM.length + 1)));
  const files = [...await denoFiles(), ...program, ...await cachedFiles(program)];
  const image = [...cpio(files, EMPTY)];
  if (folder !== null) await keepImage(folder, name, image);
  return () => image;
}

function sha256(pieces: Iterable<Uint8Array>): string {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest("hex");
}

// Reads a file through a single buffer: allocating a hundred megabytes would take longer than
// reading them. Each piece is valid only until the next.
function* piecesOf(path: string): Generator<Uint8Array> {
  using file = Deno.openSync(path);
  const buffer = new Uint8Array(PIECE_BYTES);
  for (let got; (got = file.readSync(buffer)) !== null;) yield buffer.subarray(0, got);
}

/**
 * Looks for a cached image. An image whose content does not match its name is deleted.
 *
 * @param name The image's name, with the hash of its sources.
 * @returns The path, or `null`.
 */
export async function keptImage(folder: string, name: string): Promise<string | null> {
  for await (const { name: found } of Deno.readDir(folder)) {
    if (!found.startsWith(`${name}-`)) continue;
    const path = `${folder}/${found}`;
    try {
      if (found === `${name}-${sha256(piecesOf(path))}`) {
        await Deno.utime(path, new Date(), new Date()).catch(() => {});
        return path;
      }
    } catch {
      // It is built again.
    }
    await Deno.remove(path, { recursive: true }).catch(() => {});
  }
  return null;
}

/**
 * Caches an image, completely or not at all: where the disk is full, the only cost is to build it
 * again. Deletes old images, and partial files that dead processes left behind.
 *
 * @param name The image's name, with the hash of its sources.
 */
export async function keepImage(
  folder: string,
  name: string,
  image: readonly Uint8Array[],
): Promise<void> {
  const whole = `${name}-${sha256(image)}`;
  const part = `${folder}/${whole}.${Deno.pid}.part`;
  try {
    await Deno.writeFile(part, ReadableStream.from(image));
    await Deno.rename(part, `${folder}/${whole}`);
    await clear(folder);
  } catch {
    await Deno.remove(part).catch(() => {});
  }
}

// Deletes old images, and partial files that dead processes left behind.
async function clear(folder: string): Promise<void> {
  const images: { readonly path: string; readonly used: number }[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.startsWith("base-")) continue;
    const path = `${folder}/${name}`;
    const used = (await Deno.stat(path)).mtime?.getTime() ?? 0;
    const isOldPart = name.endsWith(".part") && Date.now() - used > HOUR_MS;
    if (isOldPart) await Deno.remove(path).catch(() => {});
    else images.push({ path, used });
  }
  images.sort((a, b) => b.used - a.used);
  for (const { path } of images.slice(KEPT)) await Deno.remove(path).catch(() => {});
}

// Makes Deno transpile the program's files into its cache, from which the image takes them.
async function translate(files: readonly string[]): Promise<void> {
  const root = new URL("..", import.meta.url);
  await new Deno.Command(Deno.execPath(), {
    args: [
      ...["cache", "--quiet", "--no-lock", "--no-config"],
      ...["--import-map", decodeURIComponent(new URL("import_map.json", root).pathname)],
      ...files.filter((file) => file.endsWith(".ts")).map((file) => new URL(file, root).href),
    ],
    stdout: "null",
    stderr: "null",
  }).output();
}
