/**
 * The kind of a frame. From the guest come `hello` (JSON, once KVM is ready), `alive` (empty, a
 * sign of life), `stdout` and `stderr` (bytes), `file` (JSON) followed by the `bytes` of that file,
 * `problem` (JSON: the machine is unusable) and `end` (JSON). To the guest go `signal` (JSON) and
 * `close` (JSON: nobody reads that stream any more).
 */
export type FrameKind =
  | "hello"
  | "alive"
  | "stdout"
  | "stderr"
  | "file"
  | "bytes"
  | "problem"
  | "end"
  | "signal"
  | "close";

/** A message on the serial line. */
export interface Frame {
  /** What kind of message it is. */
  readonly kind: FrameKind;
  /** Its bytes. */
  readonly body: Uint8Array<ArrayBuffer>;
}

const KINDS: readonly FrameKind[] = [
  "hello",
  "alive",
  "stdout",
  "stderr",
  "file",
  "bytes",
  "problem",
  "end",
  "signal",
  "close",
];

/** The first byte of each frame, so that a byte lost or added on the way is noticed. */
const MARK = 0xd1;
const HEAD_BYTES = 6;
/** The longest body. A damaged length must not make the reader wait for gigabytes. */
const MOST_BYTES = 1 << 20;

/** Thrown where the line carried something other than frames. */
export class FrameError extends Error {}

/**
 * Encodes a frame: a mark, the kind, the length of the body in 32 bits, little endian, and the
 * body.
 *
 * @param body At most a mebibyte.
 * @throws {RangeError} For a longer body.
 */
export function frameBytes(kind: FrameKind, body: Uint8Array): Uint8Array<ArrayBuffer> {
  if (body.length > MOST_BYTES) throw new RangeError(`Cannot frame ${body.length} bytes`);
  const bytes = new Uint8Array(HEAD_BYTES + body.length);
  bytes[0] = MARK;
  bytes[1] = KINDS.indexOf(kind);
  new DataView(bytes.buffer).setUint32(2, body.length, true);
  bytes.set(body, HEAD_BYTES);
  return bytes;
}

/** Encodes a frame with a JSON body. */
export function jsonFrame(kind: FrameKind, value: unknown): Uint8Array<ArrayBuffer> {
  return frameBytes(kind, new TextEncoder().encode(JSON.stringify(value)));
}

/**
 * Decodes a stream of bytes into frames.
 *
 * @example
 * ```ts
 * import { frameBytes, framesOf } from "./frames.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = frameBytes("stdout", new Uint8Array([1, 2, 3]));
 * const pieces = ReadableStream.from([bytes.slice(0, 4), bytes.slice(4)]);
 * for await (const { kind, body } of framesOf(pieces)) {
 *   assertEquals([kind, [...body]], ["stdout", [1, 2, 3]]);
 * }
 * ```
 *
 * @param stream The bytes, in pieces of any size.
 * @returns Each frame as soon as it is complete. A frame that the end of the stream cuts off is
 * left out.
 * @throws {FrameError} Where the stream holds something other than frames.
 */
export async function* framesOf(
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<Frame> {
  let held = new Uint8Array(0);
  for await (const piece of stream) {
    const bytes = new Uint8Array(held.length + piece.length);
    bytes.set(held);
    bytes.set(piece, held.length);
    let at = 0;
    while (bytes.length - at >= HEAD_BYTES) {
      const kind = KINDS[bytes[at + 1]!];
      const length = new DataView(bytes.buffer).getUint32(at + 2, true);
      if (bytes[at] !== MARK || kind === undefined || length > MOST_BYTES) {
        throw new FrameError("the serial line of the machine carried something else than frames");
      }
      if (bytes.length - at - HEAD_BYTES < length) break;
      at += HEAD_BYTES;
      yield { kind, body: bytes.slice(at, at + length) };
      at += length;
    }
    held = bytes.slice(at);
  }
}
