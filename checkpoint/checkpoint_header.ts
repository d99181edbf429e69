// The format of a checkpoint file: header, layout and digest (docs/checkpoint-format.md).

import type { VcpuPlace } from "../drive/live_vcpus.ts";
import { PAGE_SIZE } from "../ffi/linux.ts";
import type { KernelFacts } from "../host/facts.ts";
import { VCPU_STATE_BYTES } from "../kvm/vcpu.ts";
import type { TrackingKind } from "../machine/dirty_tracker.ts";
import type { ResolvedOptions } from "../machine/plan.ts";

/** The machine that a checkpoint was taken of: all that is needed to make it again. */
export interface CheckpointedLab extends Omit<ResolvedOptions, "rounds"> {
  /** How many times each vCPU's block of stores is in its list. */
  readonly passes: number;
}

/** The header of a checkpoint file, stored as JSON. */
export interface CheckpointHeader {
  /** `full` for all of memory, `incremental` for what changed since the epoch before. */
  readonly kind: "full" | "incremental";
  /** The epoch; 0 is the beginning, before any store. */
  readonly epoch: number;
  /** The digest of the file of the epoch before; `null` for a full checkpoint. */
  readonly previous: string | null;
  /** The kernel that ran the machine. */
  readonly kernel: Pick<KernelFacts, "backend" | "model" | "release" | "module">;
  /** How dirty pages were tracked. */
  readonly tracking: TrackingKind;
  /** The machine. */
  readonly lab: CheckpointedLab;
  /** How far each vCPU was in its stores. */
  readonly vcpus: readonly VcpuPlace[];
  /** Size of slot 0 in bytes. */
  readonly slot0Bytes: number;
  /** How many pages of logged memory the file holds. */
  readonly pages: number;
}

const MOST_VCPUS = 2 ** 16;
const MOST_SLOTS = 2 ** 16;
const MOST_MEMORY = 2 ** 40;
/**
 * The most stores that a vCPU may have made. After a few passes more the sum is still an exact
 * integer.
 */
const MOST_STORES = 2 ** 52;

/**
 * The longest access list: as many stores as `--pages` takes. A shorter pattern is repeated, but
 * never to such a length.
 */
export const MOST_LIST: number = 2 ** 28;

/**
 * Parses a header. Nothing in it is trusted: each field is checked, and only known fields are kept.
 * Whether the fields fit together is checked by {@linkcode import("./checkpoint_file.ts").misfit}.
 *
 * @param text The JSON.
 * @throws {SyntaxError} If it is not a header; the message names the wrong field.
 */
export function parseHeader(text: string): CheckpointHeader {
  const header = new Fields(JSON.parse(text), "the header");
  const kernel = header.object("kernel");
  const lab = header.object("lab");
  const vcpus = lab.count("vcpus", 1, MOST_VCPUS);
  const memory = lab.count("memory", PAGE_SIZE, MOST_MEMORY);
  const places = header.list("vcpus", vcpus);
  return {
    kind: header.word("kind", ["full", "incremental"]),
    epoch: header.count("epoch", 0),
    previous: header.textOrNull("previous"),
    kernel: {
      backend: kernel.word("backend", ["kvm", "model"]),
      model: kernel.textOrNull("model"),
      release: kernel.text("release"),
      module: kernel.textOrNull("module"),
    },
    tracking: header.word("tracking", ["ring", "bitmap", "bitmap-manual"]),
    lab: {
      guest: lab.word("guest", ["real16", "long64"]),
      vcpus,
      memory,
      slots: lab.count("slots", 1, MOST_SLOTS),
      ring: lab.count("ring", 1, 2 ** 28),
      pattern: lab.text("pattern"),
      pages: lab.count("pages", 1, MOST_LIST),
      passes: lab.count("passes", 1, MOST_LIST),
      seed: lab.count("seed", 0),
    },
    vcpus: places.map((place) => ({
      stores: place.count("stores", 0, MOST_STORES),
      value: place.count("value", 0, 2 ** 32 - 1),
      passStores: place.count("passStores", 0, MOST_LIST),
      passMade: place.count("passMade", 0, MOST_LIST),
    })),
    slot0Bytes: header.count("slot0Bytes", PAGE_SIZE, 2 ** 32),
    pages: header.count("pages", 0, memory / PAGE_SIZE),
  };
}

// A JSON object; each method reads one field and checks its type.
class Fields {
  readonly #of: Readonly<Record<string, unknown>>;
  readonly #name: string;

  constructor(value: unknown, name: string) {
    if (typeof value !== "object" || value === null) throw new SyntaxError(`${name} is no object`);
    this.#of = value as Readonly<Record<string, unknown>>; // any object has keys and values
    this.#name = name;
  }

  #wrong(field: string, expected: string): SyntaxError {
    return new SyntaxError(`${this.#name}: ${field} is not ${expected}`);
  }

  count(field: string, min: number, max = Number.MAX_SAFE_INTEGER): number {
    const value = this.#of[field];
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) {
      return value;
    }
    throw this.#wrong(field, `a whole number from ${min} to ${max}`);
  }

  text(field: string): string {
    const value = this.#of[field];
    if (typeof value === "string") return value;
    throw this.#wrong(field, "a text");
  }

  textOrNull(field: string): string | null {
    return this.#of[field] === null ? null : this.text(field);
  }

  word<const Word extends string>(field: string, words: readonly Word[]): Word {
    const found = words.find((word) => word === this.#of[field]);
    if (found === undefined) throw this.#wrong(field, words.join(" or "));
    return found;
  }

  object(field: string): Fields {
    return new Fields(this.#of[field], `${this.#name}: ${field}`);
  }

  list(field: string, length: number): Fields[] {
    const value = this.#of[field];
    if (!Array.isArray(value) || value.length !== length) {
      throw this.#wrong(field, `a list of ${length}`);
    }
    return value.map((one, n) => new Fields(one, `${this.#name}: ${field}[${n}]`));
  }
}

/** The first bytes of a checkpoint file. */
export const MAGIC = "DRTYCKPT";
/** The version of the format. */
export const VERSION = 1;
/**
 * Size in bytes of what stands before the header: the magic, the version and the header's length.
 */
export const PREFIX_BYTES = 16;
/**
 * The longest header that a file may have, in bytes. A vCPU takes about a hundred bytes of it, and
 * {@linkcode VCPU_STATE_BYTES} elsewhere in the file. The rest is the same size for all machines,
 * except for the path of a pattern file.
 *
 * @param size Size of the file in bytes.
 */
export function mostHeaderBytes(size: number): number {
  return Math.min(2 ** 23, 2 ** 16 + size / 4);
}

/** Where the parts of a checkpoint file begin, as byte offsets (docs/checkpoint-format.md). */
export interface CheckpointLayout {
  /** The registers. */
  readonly registers: number;
  /** Slot 0. */
  readonly slot0: number;
  /** The page numbers. */
  readonly numbers: number;
  /** The pages. */
  readonly pages: number;
  /** The digest. */
  readonly digest: number;
  /** The end of the file. */
  readonly end: number;
}

/** Computes where the parts of a checkpoint file begin. */
export function checkpointLayout(headerBytes: number, header: CheckpointHeader): CheckpointLayout {
  const registers = PREFIX_BYTES + headerBytes;
  const slot0 = registers + header.vcpus.length * VCPU_STATE_BYTES;
  const numbers = slot0 + header.slot0Bytes;
  const pages = numbers + header.pages * Uint32Array.BYTES_PER_ELEMENT;
  const digest = pages + header.pages * PAGE_SIZE;
  return { registers, slot0, numbers, pages, digest, end: digest + DIGEST_BYTES };
}

/** Encodes the beginning of a checkpoint file: the prefix and the header. */
export function encodeHead(header: CheckpointHeader): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(PREFIX_BYTES + text.length);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode(MAGIC));
  view.setUint32(MAGIC.length, VERSION, true);
  view.setUint32(MAGIC.length + 4, text.length, true);
  bytes.set(text, PREFIX_BYTES);
  return bytes;
}

/** Size of a SHA-256 digest in bytes. */
export const DIGEST_BYTES = 32;

/**
 * Size of a piece in bytes. No more of a file than this is in memory at a time. It is part of the
 * file format, because the digest is computed piece by piece.
 */
export const PIECE_BYTES: number = 8 * 2 ** 20;

/**
 * Gathers bytes into pieces of eight MiB, passes each piece on, and digests them all. The digest of
 * the first piece is its SHA-256. The digest after each later piece is the SHA-256 of the previous
 * digest followed by the piece. So content that fits into one piece has its plain SHA-256, and a
 * long file needs no more memory than a short one.
 *
 * @example
 * ```ts
 * import { DigestedPieces } from "./checkpoint_header.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const pieces = new DigestedPieces(() => {});
 * await pieces.put(new TextEncoder().encode("abc"));
 * assertEquals((await pieces.end()).subarray(0, 4), Uint8Array.of(0xba, 0x78, 0x16, 0xbf));
 * ```
 */
export class DigestedPieces {
  // The digest so far, then the piece, so that both are digested together.
  readonly #buffer: Uint8Array<ArrayBuffer>;
  readonly #sink: (piece: Uint8Array<ArrayBuffer>) => void | Promise<void>;
  #filled = 0;
  #pieces = 0;

  /**
   * Starts empty.
   *
   * @param sink Called with each piece, which is valid until the returned promise resolves.
   * @param pieceBytes Size of a piece in bytes. Less than eight MiB will do if no more bytes are
   * added than that.
   */
  constructor(
    sink: (piece: Uint8Array<ArrayBuffer>) => void | Promise<void>,
    pieceBytes: number = PIECE_BYTES,
  ) {
    this.#sink = sink;
    this.#buffer = new Uint8Array(DIGEST_BYTES + pieceBytes);
  }

  /** The free part of the current piece. Fill it from its beginning, then call `advance()`. */
  get room(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(DIGEST_BYTES + this.#filled);
  }

  /** Takes over bytes that were written to the beginning of {@linkcode DigestedPieces.room}. */
  async advance(bytes: number): Promise<void> {
    this.#filled += bytes;
    if (DIGEST_BYTES + this.#filled === this.#buffer.length) await this.#flush();
  }

  /** Adds bytes. */
  async put(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const { room } = this;
      const part = bytes.subarray(at, at + room.length);
      room.set(part);
      at += part.length;
      await this.advance(part.length);
    }
  }

  /**
   * Ends the last piece and starts anew.
   *
   * @returns The digest of all bytes that were added.
   */
  async end(): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#filled > 0 || this.#pieces === 0) await this.#flush();
    this.#pieces = 0;
    return this.#buffer.slice(0, DIGEST_BYTES);
  }

  async #flush(): Promise<void> {
    const end = DIGEST_BYTES + this.#filled;
    const digested = this.#buffer.subarray(this.#pieces === 0 ? DIGEST_BYTES : 0, end);
    await this.#sink(this.#buffer.subarray(DIGEST_BYTES, end));
    this.#buffer.set(new Uint8Array(await crypto.subtle.digest("SHA-256", digested)));
    this.#pieces++;
    this.#filled = 0;
  }
}

/** A digest as hexadecimal digits. */
export function digestText(digest: Uint8Array): string {
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
