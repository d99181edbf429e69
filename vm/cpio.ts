/** A file of an archive. The folders above it are created with it. */
export interface ArchiveFile {
  /** Its path, `/bin/deno`. */
  readonly path: string;
  /** The file's bytes, or the target of a symbolic link. */
  readonly content: Uint8Array | { readonly link: string };
  /** Whether it is executable. */
  readonly isProgram?: boolean;
}

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;
const HEAD_BYTES = 110;
/** The longest file: the format has 32 bits for the size. */
const MOST_BYTES = 0xffffffff;

/**
 * An archive for an initramfs: cpio in "newc" format, uncompressed so that the kernel needs no
 * decompressor (Documentation/driver-api/early-userspace/buffer-format.rst). An initramfs may
 * consist of several archives, one after another.
 *
 * @param folders Further folders, which may stay empty.
 * @returns The archive in pieces; its length is a multiple of 512 bytes.
 * @throws {RangeError} For a file of 4 GiB or more, which the format cannot hold.
 */
export function* cpio(
  files: Iterable<ArchiveFile>,
  folders: readonly string[] = [],
): Generator<Uint8Array> {
  const made = new Set<string>();
  let number = 0;
  let length = 0;
  const pieces: Uint8Array[] = [];
  const add = (path: string, mode: number, body: Uint8Array) => {
    const head = entryHead(path.slice(1), mode, ++number, body.length);
    pieces.push(head, body, padding(body.length, 4));
  };
  const addFolders = (path: string) => {
    for (let at = path.indexOf("/", 1); at > 0; at = path.indexOf("/", at + 1)) {
      const folder = path.slice(0, at);
      if (made.has(folder)) continue;
      made.add(folder);
      add(folder, S_IFDIR | 0o755, new Uint8Array(0));
    }
  };
  function* drain() {
    for (const piece of pieces.splice(0)) {
      length += piece.length;
      yield piece;
    }
  }
  for (const folder of folders) addFolders(`${folder}/`);
  for (const { path, content, isProgram = false } of files) {
    addFolders(path);
    if ("link" in content) add(path, S_IFLNK | 0o777, new TextEncoder().encode(content.link));
    else add(path, S_IFREG | (isProgram ? 0o755 : 0o644), content);
    yield* drain();
  }
  add("/TRAILER!!!", 0, new Uint8Array(0));
  yield* drain();
  yield padding(length, 512);
}

function entryHead(name: string, mode: number, number: number, size: number): Uint8Array {
  if (size > MOST_BYTES) throw new RangeError(`Cannot archive ${size} bytes of ${name}`);
  const bytes = new TextEncoder().encode(`${name}\0`);
  // ino, mode, uid, gid, nlink, mtime, filesize, dev, rdev, namesize, check
  const fields = [number, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, bytes.length, 0];
  const text = "070701" + fields.map((field) => field.toString(16).padStart(8, "0")).join("");
  const head = new Uint8Array(HEAD_BYTES + bytes.length + padLength(HEAD_BYTES + bytes.length, 4));
  head.set(new TextEncoder().encode(text));
  head.set(bytes, HEAD_BYTES);
  return head;
}

function padding(length: number, to: number): Uint8Array {
  return new Uint8Array(padLength(length, to));
}

function padLength(length: number, to: number): number {
  return (to - length % to) % to;
}
