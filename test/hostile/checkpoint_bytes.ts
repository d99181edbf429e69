import {
  DIGEST_BYTES,
  digestText,
  MAGIC,
  PREFIX_BYTES,
} from "../../checkpoint/checkpoint_header.ts";
import { joined } from "./bytes.ts";
import type { Json } from "./json.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Longer headers are cut off. */
const MOST_HEADER_BYTES = 2 ** 24 + 1;

/** The files of a folder of checkpoints, by name, in the order of their epochs. */
export type Chain = ReadonlyMap<string, Bytes>;

/** Reads a folder of checkpoints. */
export function readChain(folder: string): Chain {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  return new Map(names.map((name) => [name, Deno.readFileSync(`${folder}/${name}`)]));
}

/** The offset of the end of a file's header. */
export function headerEnd(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return PREFIX_BYTES + view.getUint32(MAGIC.length + 4, true);
}

/** The header of an intact file. */
export function headerOf(bytes: Uint8Array): { readonly [name: string]: Json } {
  return JSON.parse(new TextDecoder().decode(bytes.subarray(PREFIX_BYTES, headerEnd(bytes))));
}

/** A file with another header, of any length. Its digest is not updated. */
export function withHeader(bytes: Uint8Array, text: string): Bytes {
  const header = new TextEncoder().encode(text).subarray(0, MOST_HEADER_BYTES);
  const prefix = bytes.slice(0, PREFIX_BYTES);
  new DataView(prefix.buffer).setUint32(MAGIC.length + 4, header.length, true);
  return joined([prefix, header, bytes.subarray(headerEnd(bytes))]);
}

/** The same bytes with a valid digest, which replaces the last 32. */
export async function digested(bytes: Uint8Array): Promise<Bytes> {
  const all = bytes.slice(0, Math.max(0, bytes.length - DIGEST_BYTES));
  return joined([all, new Uint8Array(await crypto.subtle.digest("SHA-256", all))]);
}

/**
 * Makes a chain consistent again after a change: updates the digest of the changed file, and in
 * each later file the digest of the one before, and its own.
 *
 * @param from The file that was changed.
 */
export async function chained(chain: Chain, from: string): Promise<Chain> {
  const whole = new Map<string, Bytes>();
  let previous: string | null = null;
  for (const [name, bytes] of chain) {
    if (previous === null && name !== from) {
      whole.set(name, bytes);
      continue;
    }
    let changed: Bytes = bytes;
    if (previous !== null) {
      changed = withHeader(bytes, JSON.stringify({ ...headerOf(bytes), previous }));
    }
    changed = await digested(changed);
    whole.set(name, changed);
    previous = digestText(changed.subarray(-DIGEST_BYTES));
  }
  return whole;
}
