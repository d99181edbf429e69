// Reads access patterns from files.
import { KernelError } from "../ffi/errors.ts";
import { fileShortage, UsageError, ValueError } from "../host/errors.ts";
import { hostFilePieces } from "../host/files.ts";
import { printable, quoted } from "../text/printable.ts";

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;
const ZERO = 0x30;
const LETTER_X = 0x78;
/** The byte-order mark in UTF-8, with which some editors begin a file. */
const BOM: readonly number[] = [0xef, 0xbb, 0xbf];
/** The longest line in bytes, blanks included. */
const LONGEST_LINE = 1024;
/** The most bytes of a wrong line that an error shows. */
const SHOWN = 40;
/** The most page numbers of a pattern: each page of a 64 GiB guest once. */
const MOST_PAGES = 2 ** 24;
const FORM = "one page number a line, decimal or 0x";

/**
 * Reads a pattern file: a page number on each line, decimal or hexadecimal with 0x, counted from 0
 * over all logged slots. Blank lines, and a byte-order mark at the beginning, are skipped. The file
 * is read from this host, even if the kernel under test is a model.
 *
 * @param path The file, or `-` for standard input.
 * @param pages The number of logged pages: page numbers must be smaller.
 * @returns The page numbers, at least one.
 * @throws {UsageError} If the file cannot be read or holds no page number, or if a line is wrong;
 * the error names the line.
 * @throws {KernelError} If file descriptors have run out.
 * @throws {HostError} If Deno has no permission to read the file.
 */
export function readPattern(path: string, pages: number): Uint32Array<ArrayBuffer> {
  const name = path === "-" ? "standard input" : printable(path);
  try {
    return parsePages(
      hostFilePieces(path === "-" ? null : path, { standardInput: "file:-" }),
      name,
      pages,
    );
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    throw fileShortage(`open(${name})`, error) ??
      new ValueError(
        { pattern: `file:${path}` },
        (value) =>
          `${value("pattern")} file:${
            printable(path)
          }: ${error.message}; expected a file with ${FORM}`,
      );
  }
}

/**
 * Parses the bytes of a pattern file piece by piece, keeping only the numbers. It makes no string
 * for a line, so that ten million lines take well under a second.
 *
 * @param pieces The file's bytes, in pieces of any length.
 * @param name What to call it in an error.
 * @param pages Logged pages.
 * @returns The page numbers, at least one.
 * @throws {UsageError} If there are no page numbers or too many, or if a line is wrong; the error
 * names the line.
 */
export function parsePages(
  pieces: Iterable<Uint8Array>,
  name: string,
  pages: number,
): Uint32Array<ArrayBuffer> {
  const list = new PageList(name, pages);
  // The part of a line that began in an earlier piece.
  const begun = new Uint8Array(LONGEST_LINE + 1);
  let held = 0;
  const hold = (piece: Uint8Array) => {
    const room = piece.subarray(0, begun.length - held); // no more is needed: the line is too long then
    begun.set(room, held);
    held += room.length;
  };
  for (const piece of pieces) {
    let from = 0;
    for (let to = piece.indexOf(NEWLINE); to !== -1; to = piece.indexOf(NEWLINE, from)) {
      if (held === 0) list.line(piece, from, to);
      else {
        hold(piece.subarray(from, to));
        list.line(begun, 0, held);
        held = 0;
      }
      from = to + 1;
    }
    hold(piece.subarray(from));
    // An endless file, such as /dev/zero, may have no line end: fail early.
    if (held > LONGEST_LINE) list.line(begun, 0, held);
  }
  if (held > 0) list.line(begun, 0, held);
  return list.end();
}

/** The numbers of a pattern file, line by line. */
class PageList {
  readonly #name: string;
  readonly #pages: number;
  #found = new Uint32Array(1024);
  #count = 0;
  #line = 0;

  constructor(name: string, pages: number) {
    this.#name = name;
    this.#pages = pages;
  }

  /** Takes a line, without its line end. */
  line(bytes: Uint8Array, from: number, to: number): void {
    this.#line++;
    let [begin, end] = [from, to];
    if (this.#line === 1 && BOM.every((byte, at) => bytes[from + at] === byte)) begin += BOM.length;
    while (begin < end && isBlank(bytes[begin]!)) begin++;
    while (end > begin && isBlank(bytes[end - 1]!)) end--;
    const isTooLong = to - from > LONGEST_LINE;
    if (begin === end && !isTooLong) return;
    const page = isTooLong ? -1 : parseNumber(bytes, begin, end);
    if (page < 0 || page >= this.#pages) throw this.#wrong(bytes.subarray(begin, end), page);
    if (this.#count === this.#found.length) this.#grow();
    this.#found[this.#count++] = page;
  }

  #grow(): void {
    if (this.#count >= MOST_PAGES) {
      throw new UsageError(
        `${this.#name} holds more than ${MOST_PAGES} page numbers; expected fewer`,
      );
    }
    const found = new Uint32Array(2 * this.#count);
    found.set(this.#found);
    this.#found = found;
  }

  #wrong(bytes: Uint8Array, page: number): UsageError {
    const text = new TextDecoder().decode(bytes.subarray(0, SHOWN));
    const where = `${this.#name}, line ${this.#line}`;
    if (page < 0) {
      return new UsageError(`${where}: ${quoted(text)} is no page number; expected ${FORM}`);
    }
    return new ValueError(
      { page },
      (name) =>
        `${where}: page ${text} lies beyond the logged memory of ${this.#pages} pages; ` +
        `expected 0 to ${this.#pages - 1}, or more memory with ${name("memory")}`,
      { least: 0, most: this.#pages - 1 },
    );
  }

  /** All numbers. Call it after the last line. */
  end(): Uint32Array<ArrayBuffer> {
    if (this.#count > 0) return this.#found.subarray(0, this.#count);
    throw new UsageError(`${this.#name} holds no page number; expected ${FORM}`);
  }
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
