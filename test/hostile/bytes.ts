import type { Random } from "../../guest/pattern.ts";
import { pick, weighted } from "./chance.ts";
import { hostileNumber, hostileText } from "./texts.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Change = (random: Random, bytes: Bytes) => Bytes;

/**
 * Damages a copy of some bytes in one to four places: flips bits, changes numbers, removes, doubles
 * or inserts pieces.
 *
 * @param from The first byte that may be damaged.
 * @param to The end of the part that may be damaged, exclusive.
 * @returns The damaged copy.
 */
export function damage(
  random: Random,
  bytes: Uint8Array,
  from = 0,
  to: number = bytes.length,
): Bytes {
  let part: Bytes = bytes.slice(from, to);
  for (let left = 1 + random(4); left > 0; left--) part = weighted(random, CHANGES)(random, part);
  return joined([bytes.subarray(0, from), part, bytes.subarray(to)]);
}

/** Concatenates bytes. */
export function joined(parts: readonly Uint8Array[]): Bytes {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Random bytes. */
export function noise(random: Random, length: number): Bytes {
  return Uint8Array.from({ length }, () => random(256));
}

const CHANGES: readonly (readonly [number, Change])[] = [
  [6, flipBit],
  [4, setByte],
  [6, setNumber],
  [1, truncate],
  [1, grow],
  [2, drop],
  [2, double],
  [2, insertText],
];

function flipBit(random: Random, bytes: Bytes): Bytes {
  const at = random(bytes.length);
  if (bytes.length > 0) bytes[at] = bytes[at]! ^ (1 << random(8));
  return bytes;
}

function setByte(random: Random, bytes: Bytes): Bytes {
  if (bytes.length > 0) {
    bytes[random(bytes.length)] = pick(random, [0, 1, 0x0a, 0x1b, 0x7f, 0x80, 0xff]);
  }
  return bytes;
}

function setNumber(random: Random, bytes: Bytes): Bytes {
  const width = pick(random, [2, 4, 8]);
  if (bytes.length < width) return bytes;
  const places = Math.floor(bytes.length / width);
  // Numbers in files are mostly aligned to their width.
  const at = random(4) === 0 ? random(bytes.length - width + 1) : random(places) * width;
  const view = new DataView(bytes.buffer);
  const value = BigInt.asUintN(64, BigInt(Math.trunc(hostileNumber(random))));
  if (width === 8) view.setBigUint64(at, value, true);
  else if (width === 4) view.setUint32(at, Number(value & 0xffff_ffffn), true);
  else view.setUint16(at, Number(value & 0xffffn), true);
  return bytes;
}

function truncate(random: Random, bytes: Bytes): Bytes {
  return bytes.slice(0, random(bytes.length + 1));
}

function grow(random: Random, bytes: Bytes): Bytes {
  const more = 1 + random(5000);
  return joined([bytes, random(2) === 0 ? new Uint8Array(more) : noise(random, more)]);
}

function drop(random: Random, bytes: Bytes): Bytes {
  const at = random(bytes.length + 1);
  return joined([bytes.subarray(0, at), bytes.subarray(at + 1 + random(64))]);
}

function double(random: Random, bytes: Bytes): Bytes {
  const at = random(bytes.length + 1);
  const to = at + random(64);
  return joined([bytes.subarray(0, to), bytes.subarray(at, to), bytes.subarray(to)]);
}

function insertText(random: Random, bytes: Bytes): Bytes {
  const at = random(bytes.length + 1);
  const text = new TextEncoder().encode(hostileText(random));
  return joined([bytes.subarray(0, at), text, bytes.subarray(at)]);
}
