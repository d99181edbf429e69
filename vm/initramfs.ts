import { type MemoryFile, memoryFile } from "../ffi/memory_file.ts";
import { baseImage } from "./base_image.ts";
import { cylinderRest } from "./boot_disk.ts";
import { type ArchiveFile, cpio } from "./cpio.ts";
import { type GuestRequest, MODULES, REQUEST, STAGED, STDIN } from "./guest_request.ts";
import type { KernelModule } from "./kernel_modules.ts";

/** What goes into a machine beside the program. */
export interface MachineContent {
  /** What is asked. */
  readonly request: GuestRequest;
  /** The modules that the request names. */
  readonly modules: readonly KernelModule[];
  /** Files of this host that the command reads, by absolute path. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Folders that it reads, by absolute path: one may be empty. */
  readonly folders: readonly string[];
  /** Its standard input, or `null`. */
  readonly stdin: Uint8Array | null;
}

/**
 * Puts an initramfs together: the part that is the same for all, and behind it an archive with what this machine is
 * asked. Zeros between them make it as long as a disk is: a kernel passes them over.
 *
 * @param content What is asked.
 * @returns A file in memory.
 * @throws {HostError} Where something cannot be found, or memory is short.
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
