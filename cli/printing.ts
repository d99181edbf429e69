// Standard output and standard error. Everything printed is escaped here.
import { surviveFileLimit } from "../host/exhaustion.ts";
import { printableLine, printableText } from "../text/printable.ts";
import type { Obeyed, TerminalText } from "../text/terminal_text.ts";
import { ownTerminal, type Terminal } from "./terminal.ts";

const encoder = new TextEncoder();
/**
 * Characters that are gathered before a write, since writing each line would cost a system call.
 */
const WRITE_AT = 1 << 16;

/** Standard output failed for another reason than a closed pipe, for instance a full disk. */
export class OutputError extends Error {}

/** The terminal of standard output, or `null` if it is not a terminal. */
export function terminal(): Terminal | null {
  return Deno.stdout.isTerminal() ? ownTerminal() : null;
}

/** The terminal of standard error, or `null` if it is not a terminal. */
export function errorTerminal(): Terminal | null {
  return Deno.stderr.isTerminal() ? ownTerminal() : null;
}

/** How lines on standard error are written: on a terminal they fit it, and may have colours. */
export interface ErrorStyle {
  /** Writes a line, which may be several then. */
  line(text: string): string;
  /** Writes the program's name in front of a note. */
  note(name: string): string;
  /** Writes the program's name in front of an error. */
  error(name: string): string;
}

const same = (text: string) => text;
let errorStyle: ErrorStyle = { line: same, note: same, error: same };

/** Says how lines on standard error are written from here on. */
export function styleErrors(style: ErrorStyle): void {
  errorStyle = style;
}

/**
 * Prints a line to standard error. If that fails, neither the result nor the exit status changes.
 *
 * @param line The line, without its line end.
 */
export function say(line: string): void {
  sayIn(line, errorStyle.note);
}

/** Prints a line to standard error with the program's name in front. */
export function note(text: string): void {
  say(`${NAME}${text}`);
}

/** Prints an error to standard error, with the program's name in front. */
export function sayError(text: string): void {
  sayIn(`${NAME}${text}`, errorStyle.error);
}

/** What notes and errors begin with, also those of the program in a machine. */
const NAME = "dirtyring: ";

function sayIn(line: string, paint: (name: string) => string): void {
  const safe = errorStyle.line(printableLine(line));
  removeStatus();
  try {
    console.error(
      safe.startsWith(NAME) ? paint(NAME.trimEnd()) + safe.slice(NAME.length - 1) : safe,
    );
  } catch {
    // There is nowhere to report it.
  }
}

/**
 * Prints a line to standard error as it is, for a program that reads it.
 *
 * @param line The line, without its line end.
 */
export function sendLine(line: string): void {
  write(`${line}\n`);
}

/** Whether standard error is a terminal, so that a person may look at it. */
export function hasErrorTerminal(): boolean {
  return Deno.stderr.isTerminal();
}

/** What takes a temporary line away: back to the beginning, and erase to the end of the line. */
const ERASE = "\r\x1b[K";

let isStatusShown = false;

/**
 * Shows a temporary line if standard error is a terminal: the next line replaces it, and whatever
 * else is printed removes it. It is cut to the terminal's width, since a line that wraps would not
 * be removed whole.
 *
 * @param text The line; an empty one removes the last.
 */
export function showStatus(text: string): void {
  if (!Deno.stderr.isTerminal()) return;
  if (text === "") return removeStatus();
  write(`${ERASE}${printableLine(text).slice(0, columnsOfStderr() - 1)}`);
  isStatusShown = true;
}

function removeStatus(): void {
  if (!isStatusShown) return;
  isStatusShown = false;
  write(ERASE);
}

function write(text: string): void {
  try {
    Deno.stderr.writeSync(encoder.encode(text));
  } catch {
    // There is nowhere to report it.
  }
}

/**
 * The width of standard error's terminal, now. Deno asks whichever of the standard three is one. One
 * without a width reports 0: it then counts as 80 columns.
 */
export function columnsOfStderr(): number {
  try {
    return Deno.consoleSize().columns || 80;
  } catch {
    return 80;
  }
}

/**
 * Standard output. Everything printed is escaped here, since parts may come from a file, a kernel
 * or another process.
 */
export class StandardOutput {
  /** Filters the text for a terminal, and colours; `null` if there are neither. */
  readonly #screen: TerminalText | null;
  #progress: OutputStream | null = null;

  private constructor(screen: TerminalText | null) {
    this.#screen = screen;
  }

  /**
   * Opens standard output.
   *
   * @param obeyed What it obeys beside text. The filter for that is loaded only where it does.
   */
  static async open(obeyed: Obeyed): Promise<StandardOutput> {
    if (!obeyed.frames && !obeyed.colours) return new StandardOutput(null);
    const { TerminalText } = await import("../text/terminal_text.ts");
    return new StandardOutput(new TerminalText(obeyed));
  }

  /**
   * Prints all of the text. A closed pipe ends the printing silently: the reader has read enough.
   *
   * @param chunks Text, in pieces.
   * @returns Whether the output still has a reader.
   * @throws {OutputError} If it cannot be written.
   */
  print(chunks: Iterable<string>): boolean {
    let text = "";
    removeStatus();
    try {
      if (!Deno.stdout.isTerminal()) surviveFileLimit();
      for (const chunk of chunks) {
        text += chunk;
        if (text.length < WRITE_AT) continue;
        writeAll(this.#guarded(text));
        text = "";
      }
      writeAll(this.#guarded(text));
      return true;
    } catch (error) {
      if (isGone(error)) return false;
      throw outputError(error);
    }
  }

  /**
   * Prints progress without waiting for the reader.
   *
   * @param chunks Text, in pieces. It is dropped as a whole if it is not read in time.
   * @returns Whether the output still has a reader.
   * @throws {OutputError} If an earlier part could not be written.
   */
  stream(chunks: Iterable<string>): boolean {
    this.#progress ??= new OutputStream((bytes) => Deno.stdout.write(bytes));
    const text = [...chunks].join("");
    removeStatus();
    try {
      return this.#progress.print([this.#guarded(text)]);
    } catch (error) {
      throw outputError(error);
    }
  }

  /**
   * Waits until the progress is written or has no reader, and reports how much was dropped.
   *
   * @throws {OutputError} If it could not be written.
   */
  async endProgress(): Promise<void> {
    const progress = this.#progress;
    if (progress === null) return;
    await progress.drained().catch((error) => {
      throw outputError(error);
    });
    if (progress.dropped > 0) {
      note(`${progress.dropped} parts of the progress were not read in time`);
    }
  }

  /**
   * Completes the output to a terminal.
   *
   * @throws {OutputError} If it cannot be written.
   */
  close(): void {
    if (this.#screen !== null) this.print([this.#screen.end()]);
  }

  #guarded(text: string): string {
    return this.#screen === null ? printableText(text) : this.#screen.pass(text);
  }
}

// Asked at the start: one that has hung up no longer says that it is a terminal.
const wasTerminal = Deno.stdout.isTerminal();

// Whether an error says that nobody reads any more: a pipe was closed, or a terminal hung up.
function isGone(error: unknown): boolean {
  if (error instanceof Deno.errors.BrokenPipe) return true;
  return wasTerminal && error instanceof Error && "code" in error && error.code === "EIO";
}

function outputError(error: unknown): OutputError {
  const why = error instanceof Error ? error.message : String(error);
  return new OutputError(`standard output: ${why}; the result is not written whole`);
}

function writeAll(text: string): void {
  let bytes = encoder.encode(text);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
    } catch (error) {
      // Another program made the pipe non-blocking: wait a millisecond for its reader.
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** The most text, in characters, that may wait for a slow reader. More is dropped. */
const MOST_WAITING = 1 << 20;

/**
 * Prints progress without waiting for the reader: a reader that stalls delays neither the harvester
 * nor an interrupt. A part that is not read in time is dropped as a whole, and counted.
 */
export class OutputStream {
  readonly #write: (bytes: Uint8Array) => Promise<number>;
  #waiting: string[] = [];
  #length = 0;
  #writing: Promise<void> | null = null;
  #isClosed = false;
  #error: unknown = null;
  /** Parts that were dropped. */
  dropped = 0;

  /**
   * Creates a stream; nothing is printed yet.
   *
   * @param write Writes some of the bytes, and returns how many.
   */
  constructor(write: (bytes: Uint8Array) => Promise<number>) {
    this.#write = write;
  }

  /**
   * Queues a part for printing.
   *
   * @returns Whether the output still has a reader.
   * @throws {Error} If an earlier part could not be written, for another reason than a closed pipe.
   */
  print(chunks: Iterable<string>): boolean {
    if (this.#error !== null) throw this.#error;
    const text = [...chunks].join("");
    if (text === "" || this.#isClosed) return !this.#isClosed;
    if (this.#length + text.length > MOST_WAITING) {
      this.dropped++;
      return true;
    }
    this.#waiting.push(text);
    this.#length += text.length;
    this.#writing ??= this.#writeAll().finally(() => this.#writing = null);
    return true;
  }

  async #writeAll(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const text = this.#waiting.join("");
        this.#waiting = [];
        let bytes = encoder.encode(text);
        while (bytes.length > 0) bytes = bytes.subarray(await this.#write(bytes));
        this.#length -= text.length;
      }
    } catch (error) {
      if (isGone(error)) this.#isClosed = true;
      else this.#error = error;
      this.#waiting = [];
    }
  }

  /** Waits until everything queued is written, or the pipe is closed. */
  async drained(): Promise<void> {
    await this.#writing;
    if (this.#error !== null) throw this.#error;
  }
}
