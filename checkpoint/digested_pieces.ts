/** Bytes of a SHA-256 digest. */
export const DIGEST_BYTES = 32;

/**
 * Bytes of a piece: as much of a file as is in memory at a time. Part of the file format, since a digest is made
 * piece by piece.
 */
export const PIECE_BYTES: number = 8 * 2 ** 20;

/**
 * Gathers bytes into pieces of eight MiB, hands each piece on, and digests them all. The digest of the first piece
 * is its SHA-256; that of each later piece is the SHA-256 of the digest so far and the piece. So what fits in one
 * piece has its plain SHA-256, and a long file needs no more memory than a short one.
 *
 * @example
 * ```ts
 * import { DigestedPieces } from "./digested_pieces.ts";
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
   * Begins with nothing.
   *
   * @param sink Is handed each piece, valid until its answer is there.
   * @param pieceBytes Bytes of a piece: fewer than eight MiB serve where no more are added.
   */
  constructor(
    sink: (piece: Uint8Array<ArrayBuffer>) => void | Promise<void>,
    pieceBytes: number = PIECE_BYTES,
  ) {
    this.#sink = sink;
    this.#buffer = new Uint8Array(DIGEST_BYTES + pieceBytes);
  }

  /** What is free of the piece that is being gathered: to be filled from its beginning, then `advance()`. */
  get room(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(DIGEST_BYTES + this.#filled);
  }

  /**
   * Takes bytes that were written to {@linkcode DigestedPieces.room}.
   *
   * @param bytes How many.
   */
  async advance(bytes: number): Promise<void> {
    this.#filled += bytes;
    if (DIGEST_BYTES + this.#filled === this.#buffer.length) await this.#flush();
  }

  /**
   * Adds bytes.
   *
   * @param bytes The bytes.
   */
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
   * Ends the last piece, and begins anew.
   *
   * @returns The digest of all that was added.
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

/**
 * A digest as text.
 *
 * @param digest The digest.
 * @returns Hexadecimal digits.
 */
export function digestText(digest: Uint8Array): string {
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
