import { PAGE_SIZE } from "../ffi/linux.ts";
import { VCPU_STATE_BYTES } from "../kvm/vcpu_state.ts";
import { type CheckpointHeader, parseHeader } from "./checkpoint_header.ts";
import {
  type CheckpointLayout,
  checkpointLayout,
  MAGIC,
  mostHeaderBytes,
  PREFIX_BYTES,
  VERSION,
} from "./checkpoint_layout.ts";
import { DIGEST_BYTES, DigestedPieces, digestText, PIECE_BYTES } from "./digested_pieces.ts";
import { fileErrorText, fileShortage } from "../lab/file_error.ts";
import { printable } from "../text/printable.ts";
import { misfit } from "./misfit.ts";

/** A checkpoint file that is not whole, or not a checkpoint: the message says why, in a clause. */
export class BrokenFile extends Error {}

/** A checkpoint file that is whole. */
export interface WholeFile {
  /** Where it is. */
  readonly path: string;
  /** Its header. */
  readonly header: CheckpointHeader;
  /** Where its parts begin. */
  readonly layout: CheckpointLayout;
  /** Its digest, in hexadecimal. */
  readonly digest: string;
}

/** What a file holds beside its pages. */
export interface CheckpointState {
  /** The vCPUs' registers. */
  readonly registers: Uint8Array<ArrayBuffer>;
  /** Slot 0. */
  readonly slot0: Uint8Array<ArrayBuffer>;
}

/** Pages that are read at a time. */
const BATCH_PAGES = 256;

/**
 * Checks a checkpoint file: that its header tells of a machine that can be, and of as many bytes as it has, that its
 * digest is right, and that its page numbers are pages.
 *
 * @param path The file.
 * @returns The file.
 * @throws {BrokenFile} Where it is not whole, or cannot be read.
 * @throws {KernelError} Where there are no file descriptors left, or no memory.
 */
export async function checkFile(path: string): Promise<WholeFile> {
  return await reading(path, async (file) => {
    const { size } = await file.stat();
    const { header, headerBytes } = await readHead(file, size);
    const wrong = misfit(header);
    if (wrong !== null) throw new BrokenFile(`its header cannot be: ${wrong}`);
    const layout = checkpointLayout(headerBytes, header);
    if (size < layout.end) throw new BrokenFile(`truncated: ${size} of ${layout.end} bytes`);
    if (size > layout.end) {
      throw new BrokenFile(`${size} bytes, where its header tells of ${layout.end}`);
    }
    await file.seek(0, Deno.SeekMode.Start);
    const digest = await digestOf(file, layout.digest);
    const written = await readExactly(file, new Uint8Array(DIGEST_BYTES));
    if (digestText(written) !== digest) {
      throw new BrokenFile("corrupted: its SHA-256 is not the one that it ends with");
    }
    await file.seek(layout.numbers, Deno.SeekMode.Start);
    checkNumbers(await readNumbers(file, header.pages), header);
    return { path, header, layout, digest };
  });
}

/**
 * Reads a whole file's registers and slot 0.
 *
 * @param file The file.
 * @returns Them.
 * @throws {BrokenFile} Where it cannot be read any more.
 */
export async function readState({ path, header, layout }: WholeFile): Promise<CheckpointState> {
  return await reading(path, async (file) => {
    await file.seek(layout.registers, Deno.SeekMode.Start);
    const registers = new Uint8Array(header.vcpus.length * VCPU_STATE_BYTES);
    await readExactly(file, registers);
    return { registers, slot0: await readExactly(file, new Uint8Array(header.slot0Bytes)) };
  });
}

/**
 * Reads a whole file's pages into memory.
 *
 * @param file The file.
 * @param memory All logged memory.
 * @param loaded Called with the number of each page.
 * @throws {BrokenFile} Where it cannot be read any more.
 */
export async function readPages(
  { path, header, layout }: WholeFile,
  memory: Uint8Array<ArrayBuffer>,
  loaded: (page: number) => void,
): Promise<void> {
  await reading(path, async (file) => {
    await file.seek(layout.numbers, Deno.SeekMode.Start);
    const numbers = await readNumbers(file, header.pages);
    const batch = new Uint8Array(BATCH_PAGES * PAGE_SIZE);
    for (let n = 0; n < numbers.length; n += BATCH_PAGES) {
      const pages = numbers.subarray(n, n + BATCH_PAGES);
      await readExactly(file, batch.subarray(0, pages.length * PAGE_SIZE));
      pages.forEach((page, at) => {
        memory.set(batch.subarray(at * PAGE_SIZE, (at + 1) * PAGE_SIZE), page * PAGE_SIZE);
        loaded(page);
      });
    }
  });
}

async function reading<T>(path: string, read: (file: Deno.FsFile) => Promise<T>): Promise<T> {
  try {
    // Looked at first: to open a pipe would wait for its writer.
    const other = otherThanFile(await Deno.stat(path));
    if (other !== null) throw new BrokenFile(`is ${other}, and no file`);
    using file = await Deno.open(path);
    return await read(file);
  } catch (error) {
    if (error instanceof BrokenFile || !(error instanceof Error)) throw error;
    // V8's, where it finds no memory.
    if (error instanceof RangeError) throw error;
    // The file is not to blame: an older one would be restored in its place.
    throw fileShortage(`open(${printable(path)})`, error) ??
      new BrokenFile(`cannot be read: ${fileErrorText(error)}`);
  }
}

function otherThanFile(info: Deno.FileInfo): string | null {
  if (info.isFile) return null;
  if (info.isDirectory) return "a folder";
  if (info.isFifo) return "a pipe";
  return info.isSocket ? "a socket" : "a device";
}

async function readHead(
  file: Deno.FsFile,
  size: number,
): Promise<{ header: CheckpointHeader; headerBytes: number }> {
  if (size < PREFIX_BYTES) throw new BrokenFile(`truncated: ${size} bytes are no header`);
  const prefix = await readExactly(file, new Uint8Array(PREFIX_BYTES));
  if (new TextDecoder().decode(prefix.subarray(0, MAGIC.length)) !== MAGIC) {
    throw new BrokenFile(`no checkpoint: it does not begin with ${MAGIC}`);
  }
  const view = new DataView(prefix.buffer);
  const version = view.getUint32(MAGIC.length, true);
  if (version !== VERSION) {
    throw new BrokenFile(`of version ${version}; this program reads version ${VERSION}`);
  }
  const headerBytes = view.getUint32(MAGIC.length + 4, true);
  if (headerBytes > size - PREFIX_BYTES) {
    throw new BrokenFile(`truncated: ${size} bytes, with a header of ${headerBytes}`);
  }
  if (headerBytes > mostHeaderBytes(size)) {
    throw new BrokenFile(
      `corrupted: ${headerBytes} bytes of header are too many for ${size} bytes`,
    );
  }
  const text = new TextDecoder().decode(await readExactly(file, new Uint8Array(headerBytes)));
  try {
    return { header: parseHeader(text), headerBytes };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new BrokenFile(
      `corrupted: its header cannot be understood (${printable(error.message)})`,
    );
  }
}

async function digestOf(file: Deno.FsFile, bytes: number): Promise<string> {
  const pieces = new DigestedPieces(() => {}, Math.min(PIECE_BYTES, bytes));
  for (let left = bytes; left > 0;) {
    const read = await file.read(pieces.room.subarray(0, left));
    if (read === null) throw new BrokenFile("truncated while it was read");
    left -= read;
    await pieces.advance(read);
  }
  return digestText(await pieces.end());
}

async function readNumbers(file: Deno.FsFile, count: number): Promise<Uint32Array<ArrayBuffer>> {
  const numbers = new Uint32Array(count);
  await readExactly(file, new Uint8Array(numbers.buffer));
  return numbers;
}

function checkNumbers(numbers: Uint32Array, { lab }: CheckpointHeader): void {
  const total = lab.memory / PAGE_SIZE;
  const wrong = numbers.find((page, n) => page >= total || (n > 0 && page <= numbers[n - 1]!));
  if (wrong === undefined) return;
  throw new BrokenFile(`corrupted: page ${wrong} of ${total} is out of order or does not exist`);
}

async function readExactly(
  file: Deno.FsFile,
  into: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < into.length;) {
    const read = await file.read(into.subarray(at));
    if (read === null) throw new BrokenFile("truncated while it was read");
    at += read;
  }
  return into;
}
