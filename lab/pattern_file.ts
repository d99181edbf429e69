import { KernelError } from "../ffi/kernel_error.ts";
import { fileShortage } from "./file_error.ts";
import { readHostFile } from "./host_files.ts";
import { UsageError } from "./usage_error.ts";
import { printable, quoted } from "../text/printable.ts";

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;
const ZERO = 0x30;
const LETTER_X = 0x78;
/** What some editors begin a file with: a byte-order mark, in UTF-8. */
const BOM: readonly number[] = [0xef, 0xbb, 0xbf];
const FORM = "one page number a line, decimal or 0x";

/**
 * Reads a pattern file: a page number on each line, decimal or hexadecimal with 0x, counted from 0
 * over all logged slots. Blank lines are passed over, and a byte-order mark at the beginning. The file
 * is this host's, whatever kernel is under test.
 *
 * @param path The file, or `-` for standard input.
 * @param pages Logged pages: the first page number that is too big.
 * @returns The page numbers, at least one.
 * @throws {UsageError} Where it cannot be read, holds none, or a line is wrong; names the line.
 * @throws {KernelError} Where no file descriptor is left to open it.
 * @throws {HostError} Where Deno has no permission to read it.
 */
export function readPattern(path: string, pages: number): Uint32Array<ArrayBuffer> {
  const name = path === "-" ? "standard input" : printable(path);
  return parsePages(readBytes(path), name, pages);
}

function readBytes(path: string): Uint8Array<ArrayBuffer> {
  try {
    return readHostFile(path === "-" ? null : path);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    const what = printable(path);
    throw fileShortage(`open(${what})`, error) ??
      new UsageError(`--pattern file:${what}: ${error.message}; expected a file with ${FORM}`);
  }
}

/**
 * Parses the bytes of a pattern file. Ten million lines take well under a second: no string a line.
 *
 * @param bytes The file's bytes.
 * @param name What to call it in an error.
 * @param pages Logged pages.
 * @returns The page numbers, at least one.
 * @throws {UsageError} Where it holds none, or a line is wrong; names the line.
 */
export function parsePages(
  bytes: Uint8Array,
  name: string,
  pages: number,
): Uint32Array<ArrayBuffer> {
  let lines = 1;
  for (let at = 0; at < bytes.length; at++) if (bytes[at] === NEWLINE) lines++;
  const found = new Uint32Array(lines);
  let count = 0;
  let line = 0;
  const hasMark = BOM.every((byte, at) => bytes[at] === byte);
  for (let from = hasMark ? BOM.length : 0; from < bytes.length;) {
    line++;
    let to = bytes.indexOf(NEWLINE, from);
    if (to === -1) to = bytes.length;
    let end = to;
    let begin = from;
    from = to + 1;
    while (begin < end && isBlank(bytes[begin]!)) begin++;
    while (end > begin && isBlank(bytes[end - 1]!)) end--;
    if (begin === end) continue;
    const page = parseNumber(bytes, begin, end);
    if (page >= 0 && page < pages) {
      found[count++] = page;
      continue;
    }
    const text = new TextDecoder().decode(bytes.subarray(begin, Math.min(end, begin + 40)));
    throw new UsageError(
      page < 0
        ? `${name}, line ${line}: ${quoted(text)} is no page number; expected ${FORM}`
        : `${name}, line ${line}: page ${text} lies beyond the logged memory of ${pages} pages; ` +
          `expected 0 to ${pages - 1}, or more memory with --memory`,
    );
  }
  if (count === 0) throw new UsageError(`${name} holds no page number; expected ${FORM}`);
  return found.subarray(0, count);
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB || byte === RETURN;
}

// The number that the bytes spell, or -1. A number beyond 2^53 is inexact, but stays too big.
function parseNumber(bytes: Uint8Array, from: number, to: number): number {
  const isHex = to - from > 2 && bytes[from] === ZERO && (bytes[from + 1]! | 0x20) === LETTER_X;
  const base = isHex ? 16 : 10;
  let value = 0;
  for (let at = isHex ? from + 2 : from; at < to; at++) {
    const digit = digitValue(bytes[at]!);
    if (digit >= base) return -1;
    value = value * base + digit;
  }
  return value;
}

function digitValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : 255;
}
