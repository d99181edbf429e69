// Checkpoint files and the folder that holds them: names, reading, and checks. Nothing in a file is
// trusted (docs/checkpoint-format.md).

import type { Wording } from "../ffi/errors.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import { parsePattern } from "../guest/pattern.ts";
import { EndedBySignal, fileErrorText, fileShortage, ValueError } from "../host/errors.ts";
import { VCPU_STATE_BYTES } from "../kvm/vcpu.ts";
import { GUESTS, slot0Size } from "../machine/plan.ts";
import { printable } from "../text/printable.ts";
import {
  type CheckpointHeader,
  type CheckpointLayout,
  checkpointLayout,
  DIGEST_BYTES,
  DigestedPieces,
  digestText,
  MAGIC,
  MOST_LIST,
  mostHeaderBytes,
  parseHeader,
  PIECE_BYTES,
  PREFIX_BYTES,
  VERSION,
} from "./checkpoint_header.ts";

/** A file that is incomplete, damaged, or not a checkpoint. The message says why, in a clause. */
export class BrokenFile extends Error {}

/** A checkpoint file that passed all checks. */
export interface WholeFile {
  /** Its path. */
  readonly path: string;
  /** Its header. */
  readonly header: CheckpointHeader;
  /** Where its parts begin. */
  readonly layout: CheckpointLayout;
  /** Its digest, in hexadecimal. */
  readonly digest: string;
}

/** What a file holds besides its pages. */
export interface CheckpointState {
  /** The vCPUs' registers. */
  readonly registers: Uint8Array<ArrayBuffer>;
  /** Slot 0. */
  readonly slot0: Uint8Array<ArrayBuffer>;
}

/**
 * Called while a file is read or written: it tells somebody how far the work is, and throws to end
 * it.
 *
 * @param bytes Bytes since the last call.
 */
export type Look = (bytes: number) => void | Promise<void>;

const NO_LOOK: Look = () => {};

/** How many pages are read at a time. */
const BATCH_PAGES = 256;

/**
 * Checks a checkpoint file: its header must describe a possible machine, its size must be the one
 * that the header gives, its digest must be right, and its page numbers must exist and ascend.
 *
 * @param look Called now and then.
 * @throws {BrokenFile} If the file is not whole, or cannot be read.
 * @throws {KernelError} If there are no file descriptors left, or no memory.
 */
export async function checkFile(path: string, look: Look = NO_LOOK): Promise<WholeFile> {
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
    const digest = await digestOf(file, layout.digest, look);
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
 * Reads the registers and slot 0 of a checked file.
 *
 * @throws {BrokenFile} If it cannot be read any more.
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
 * Reads the pages of a checked file into memory.
 *
 * @param memory All logged memory.
 * @param loaded Called with the number of each page.
 * @param look Called now and then.
 * @throws {BrokenFile} If it cannot be read any more.
 */
export async function readPages(
  { path, header, layout }: WholeFile,
  memory: Uint8Array<ArrayBuffer>,
  loaded: (page: number) => void,
  look: Look = NO_LOOK,
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
      await look(pages.length * PAGE_SIZE);
    }
  });
}

async function reading<T>(path: string, read: (file: Deno.FsFile) => Promise<T>): Promise<T> {
  try {
    // Check the file's type first: opening a pipe would wait for its writer.
    const other = otherThanFile(await Deno.stat(path));
    if (other !== null) throw new BrokenFile(`is ${other}, and no file`);
    using file = await Deno.open(path);
    return await read(file);
  } catch (error) {
    if (error instanceof BrokenFile || !(error instanceof Error)) throw error;
    if (error instanceof EndedBySignal) throw error;
    // V8 throws this when it cannot allocate memory.
    if (error instanceof RangeError) throw error;
    // The file is not to blame. If it were reported as broken, an older epoch would be restored.
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

async function digestOf(file: Deno.FsFile, bytes: number, look: Look): Promise<string> {
  const pieces = new DigestedPieces(() => {}, Math.min(PIECE_BYTES, bytes));
  for (let left = bytes; left > 0;) {
    const read = await file.read(pieces.room.subarray(0, left));
    if (read === null) throw new BrokenFile("truncated while it was read");
    left -= read;
    await pieces.advance(read);
    await look(read);
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

const NAME = /^epoch-(\d{6,})(?:-full)?\.ckpt$/;

/** The suffix of a file's name until the file is whole. */
export const PART = ".part";

/** The name of an epoch's file. Up to a million epochs, names sort in the order of epochs. */
export function checkpointName(epoch: number, kind: "full" | "incremental"): string {
  return `epoch-${`${epoch}`.padStart(6, "0")}${kind === "full" ? "-full" : ""}.ckpt`;
}

// The epoch that a file name stands for. A name that is only similar (with an extra 0, say) gives
// null: it could otherwise shadow the real file of that epoch.
function epochOf(name: string): number | null {
  const epoch = Number(NAME.exec(name)?.[1] ?? NaN);
  return name === checkpointName(epoch, epoch === 0 ? "full" : "incremental") ? epoch : null;
}

/** What a folder holds. */
export interface FolderListing {
  /** The checkpoint files, by epoch. */
  readonly files: ReadonlyMap<number, string>;
  /** Checkpoint files that were never finished. */
  readonly parts: readonly string[];
  /** All other names. */
  readonly others: readonly string[];
}

/**
 * Makes a folder for checkpoints; an empty folder is taken as it is.
 *
 * @throws {ValueError} If it is not empty, is not a folder, or cannot be made.
 * @throws {KernelError} If the disk has no room for it.
 */
export async function prepareFolder(name: string): Promise<void> {
  try {
    await Deno.mkdir(name);
    return;
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw refusal("into", name, error);
  }
  try {
    for await (const { name: found } of Deno.readDir(name)) {
      throw new ValueError(
        { into: name },
        (value) =>
          `${value("into")} ${printable(name)}: holds ${printable(found)} already; ` +
          "expected a new or an empty folder",
      );
    }
  } catch (error) {
    throw refusal("into", name, error);
  }
}

/**
 * Lists the checkpoints of a folder: files with names that {@linkcode checkpointName} gives.
 *
 * @throws {ValueError} If the folder cannot be read.
 */
export async function listFolder(name: string): Promise<FolderListing> {
  const files = new Map<number, string>();
  const parts: string[] = [];
  const others: string[] = [];
  try {
    for await (const { name: found } of Deno.readDir(name)) {
      const isPart = found.endsWith(PART);
      const epoch = epochOf(isPart ? found.slice(0, -PART.length) : found);
      if (epoch === null) others.push(found);
      else if (isPart) parts.push(found);
      else files.set(epoch, found);
    }
  } catch (error) {
    throw refusal("restore", name, error);
  }
  return { files, parts: parts.sort(), others: others.sort() };
}

// Turns an error of the system, or of Deno, into one that names the folder.
function refusal(value: "into" | "restore", folder: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof ValueError) return error;
  // The folder is an option of `checkpoint` (--into), but the operand of `restore`.
  const what: Wording = (name) => `${value === "into" ? name(value) : value} ${printable(folder)}`;
  const why = fileErrorText(error);
  return fileShortage(what, error) ??
    new ValueError({ [value]: folder }, (name) => `${what(name)}: ${why}; expected a folder`);
}

/**
 * Says why a header describes an impossible machine, even if its file's digest is right. Each field
 * was checked by itself; here the fields are checked against each other, before anything is built
 * from them.
 *
 * A header that passes needs no more memory than its file has bytes, apart from the guest's own
 * memory: the access list fits into slot 0, slot 0 and the registers of each vCPU are in the file,
 * and the file is as long as its header says. No file holds all of logged memory. It costs a few
 * bytes of bookkeeping for each page, and only pages that a file or a store names are touched.
 *
 * @returns The reason, in a clause; `null` if the header is possible.
 */
export function misfit({ lab, slot0Bytes }: CheckpointHeader): string | null {
  const { memory, slots, passes } = lab;
  const guest = GUESTS[lab.guest];
  if (memory % PAGE_SIZE !== 0) return `memory of ${memory} bytes is no whole number of pages`;
  if (slots > memory / PAGE_SIZE) {
    return `${memory / PAGE_SIZE} pages of memory cannot be split into ${slots} slots`;
  }
  const list = lab.pages * passes;
  if (list > MOST_LIST) {
    return `a list of ${lab.pages} stores, ${passes} times, is longer than ${MOST_LIST}`;
  }
  const expected = slot0Size(guest, list);
  if (slot0Bytes !== expected) {
    return `slot 0 has ${slot0Bytes} bytes, where a list of ${list} stores makes it ${expected}`;
  }
  if (memory > guest.addressLimit - slot0Bytes) {
    return `${memory} bytes of memory behind slot 0 are too many: ${guest.limitReason}`;
  }
  return isPattern(lab.pattern) ? null : `no access pattern is called ${printable(lab.pattern)}`;
}

function isPattern(text: string): boolean {
  try {
    parsePattern(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
