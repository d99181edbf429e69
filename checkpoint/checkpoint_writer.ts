import { ERRNO, KernelError } from "../ffi/errors.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import { fileErrno } from "../host/errors.ts";
import { runEnd } from "../ring/entry.ts";
import { checkpointName, type Look, PART } from "./checkpoint_file.ts";
import {
  type CheckpointHeader,
  DigestedPieces,
  digestText,
  encodeHead,
} from "./checkpoint_header.ts";

/** The content of a checkpoint, except for what the writer adds itself. */
export interface CheckpointContent {
  /** The header, without the fields that the writer fills in. */
  readonly header: Omit<CheckpointHeader, "kind" | "epoch" | "previous" | "pages" | "slot0Bytes">;
  /** The vCPUs' registers. */
  readonly registers: Uint8Array<ArrayBuffer>;
  /** Slot 0. */
  readonly slot0: Uint8Array<ArrayBuffer>;
  /** The numbers of the pages to write, in order. */
  readonly pages: Uint32Array<ArrayBuffer>;
  /** All logged memory. */
  readonly memory: Uint8Array<ArrayBuffer>;
}

/** What was written to a folder of checkpoints. */
export interface WrittenFiles {
  /** The folder. */
  readonly folder: string;
  /** Number of files in it: a full checkpoint, and one for each epoch after it. */
  readonly files: number;
  /** Size of all files together, in bytes. */
  readonly bytes: number;
  /** The last epoch that was written; -1 if none was. */
  readonly lastEpoch: number;
}

/**
 * Writes checkpoints into a folder: one file for each epoch, each with the digest of the file
 * before it. A file is written under a temporary name, synced and then renamed, so a file with its
 * final name is complete on disk.
 */
export class CheckpointWriter {
  readonly #folder: string;
  #file: Deno.FsFile | null = null;
  // The system call under way, for an error message.
  #call = "";
  readonly #pieces = new DigestedPieces((piece) => this.#writeAll(piece));
  #look: Look = () => {};
  #previous: string | null = null;
  #files = 0;
  #bytes = 0;

  /**
   * Starts with a full checkpoint.
   *
   * @param folder A folder without checkpoints.
   */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** What was written so far. */
  get written(): WrittenFiles {
    return {
      folder: this.#folder,
      files: this.#files,
      bytes: this.#bytes,
      lastEpoch: this.#files - 1,
    };
  }

  /**
   * Writes the next epoch's file; the first one is a full checkpoint.
   *
   * @param content What goes into it; must not change until the promise resolves.
   * @param look Called with each part that is written. What it throws ends the writing.
   * @returns The size of the file in bytes.
   * @throws {KernelError} If it cannot be written. An unfinished file is removed; earlier files are
   * untouched.
   */
  async write(content: CheckpointContent, look: Look = () => {}): Promise<number> {
    this.#look = look;
    const epoch = this.#files;
    const kind = epoch === 0 ? "full" : "incremental";
    const path = `${this.#folder}/${checkpointName(epoch, kind)}`;
    try {
      this.#call = `open(${path}${PART})`;
      this.#file = await Deno.open(`${path}${PART}`, { write: true, createNew: true });
      const bytes = await this.#writeContent(content, epoch, kind, path);
      this.#files++;
      this.#bytes += bytes;
      return bytes;
    } catch (error) {
      this.#close();
      // If only the sync of the folder failed, the file was renamed already and is complete: it
      // stays.
      await Deno.remove(`${path}${PART}`).catch(() => {});
      throw this.#failure(error, epoch - 1);
    }
  }

  async #writeContent(
    { header, registers, slot0, pages, memory }: CheckpointContent,
    epoch: number,
    kind: "full" | "incremental",
    path: string,
  ): Promise<number> {
    this.#call = `write(${path}${PART})`;
    const order = { kind, epoch, previous: this.#previous };
    const sizes = { slot0Bytes: slot0.length, pages: pages.length };
    const head = encodeHead({ ...order, ...header, ...sizes });
    const numbers = new Uint8Array(pages.buffer, pages.byteOffset, pages.byteLength);
    for (const part of [head, registers, slot0, numbers]) await this.#pieces.put(part);
    for (let n = 0, end = 0; n < pages.length; n = end) {
      end = runEnd(pages, n);
      const at = pages[n]! * PAGE_SIZE;
      await this.#pieces.put(memory.subarray(at, at + (end - n) * PAGE_SIZE));
    }
    const digest = await this.#pieces.end();
    await this.#writeAll(digest);
    this.#call = `fsync(${path}${PART})`;
    await this.#file!.sync();
    const { size } = await this.#file!.stat();
    this.#close();
    this.#call = `rename(${path}${PART})`;
    await Deno.rename(`${path}${PART}`, path);
    this.#call = `fsync(${this.#folder})`;
    await syncFolder(this.#folder);
    this.#previous = digestText(digest);
    return size;
  }

  async #writeAll(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#file!.write(bytes.subarray(at));
    await this.#look(bytes.length);
  }

  #close(): void {
    this.#file?.close();
    this.#file = null;
  }

  #failure(error: unknown, lastWhole: number): unknown {
    const errno = fileErrno(error);
    if (errno === null) return error;
    const whole = lastWhole < 0
      ? "there is no whole checkpoint"
      : `epoch ${lastWhole} is the last whole one, dirtyring restore ${this.#folder} ` +
        "goes on from there";
    return new KernelError(this.#call, -errno, { advice: whole });
  }
}

// A name is on disk only after its folder was synced. Some file systems cannot sync folders
// (EINVAL).
async function syncFolder(folder: string): Promise<void> {
  using opened = await Deno.open(folder);
  try {
    await opened.sync();
  } catch (error) {
    if (fileErrno(error) !== ERRNO.EINVAL) throw error;
  }
}
