import { PAGE_SIZE } from "../ffi/linux.ts";
import { VCPU_STATE_BYTES } from "../kvm/vcpu_state.ts";
import type { CheckpointHeader } from "./checkpoint_header.ts";
import { DIGEST_BYTES } from "./digested_pieces.ts";

/** What a checkpoint file begins with. */
export const MAGIC = "DRTYCKPT";
/** The version of the format. */
export const VERSION = 1;
/** Bytes before the header: the magic, the version and the header's length. */
export const PREFIX_BYTES = 16;
/**
 * The longest header of a file. A vCPU has some hundred bytes of it, and {@linkcode VCPU_STATE_BYTES} elsewhere; the
 * rest is the same for all machines, but for a pattern's path.
 *
 * @param size Bytes of the file.
 * @returns Bytes.
 */
export function mostHeaderBytes(size: number): number {
  return Math.min(2 ** 23, 2 ** 16 + size / 4);
}

/** Where the parts of a checkpoint file begin, in bytes (docs/checkpoint-format.md). */
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

/**
 * Lays a checkpoint file out.
 *
 * @param headerBytes Bytes of its header.
 * @param header The header.
 * @returns Where its parts begin.
 */
export function checkpointLayout(headerBytes: number, header: CheckpointHeader): CheckpointLayout {
  const registers = PREFIX_BYTES + headerBytes;
  const slot0 = registers + header.vcpus.length * VCPU_STATE_BYTES;
  const numbers = slot0 + header.slot0Bytes;
  const pages = numbers + header.pages * Uint32Array.BYTES_PER_ELEMENT;
  const digest = pages + header.pages * PAGE_SIZE;
  return { registers, slot0, numbers, pages, digest, end: digest + DIGEST_BYTES };
}

/**
 * The beginning of a checkpoint file: the prefix and the header.
 *
 * @param header The header.
 * @returns The bytes.
 */
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
