import { surviveFileLimit } from "../host/exhaustion.ts";
import { printableLine, printableText } from "../text/printable.ts";
import type { TerminalText } from "../text/terminal_text.ts";

const encoder = new TextEncoder();
/** Bytes gathered before they are written: a line each would be a system call each. */
const WRITE_AT = 1 << 16;

/** Standard output failed for another reason than a closed pipe: a full disk, say. */
export class OutputError extends Error {}

/** The terminal that standard output is, or `null`; one that does not tell its width has the usual one. */
export function terminal(): { readonly columns: number } | null {
  if (!Deno.stdout.isTerminal()) return null;
  try {
    return { columns: Deno.consoleSize().columns };
  } catch {
    return { columns: 80 };
  }
}

/**
 * Says a line on standard error. What cannot be said there changes neither the result nor the status.
 *
 * @param line The line, without its end.
 */
export function say(line: string): void {
  try {
    console.error(printableLine(line));
  } catch {
    // There is nowhere left to say it.
  }
}

/**
 * Says a line of the program's own.
 *
 * @param text What stands behind its name.
 */
export function note(text: string): void {
  say(`dirtyring: ${text}`);
}

/**
 * Shows a line that is drawn over, where standard error is a terminal: what is said next takes its place.
 *
 * @param text The line; empty, it takes the last one away.
 */
export function showStatus(text: string): void {
  if (!Deno.stderr.isTerminal()) return;
  try {
    Deno.stderr.writeSync(encoder.encode(`\r\x1b[K${printableLine(text)}`));
  } catch {
    // As above.
  }
}

/** Standard output. All that is printed passes here: a file, a kernel or a process may have had a word in it. */
export class StandardOutput {
  /** What it is given, where it is a terminal. */
  readonly #screen: TerminalText | null;
  #progress: OutputStream | null = null;

  private constructor(screen: TerminalText | null) {
    this.#screen = screen;
  }

  /**
   * Opens it.
   *
   * @param isTerminal Whether it is one: the guard of that is not loaded otherwise.
   */
  static async open(isTerminal: boolean): Promise<StandardOutput> {
    if (!isTerminal) return new StandardOutput(null);
    const { TerminalText } = await import("../text/terminal_text.ts");
    return new StandardOutput(new TerminalText());
  }

  /**
   * Prints all of it. A closed pipe ends the printing silently: what was read was enough.
   *
   * @param chunks Text, in pieces.
   * @returns Whether somebody still reads.
   * @throws {OutputError} Where it cannot be written.
   */
  print(chunks: Iterable<string>): boolean {
    let text = "";
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
      if (error instanceof Deno.errors.BrokenPipe) return false;
      throw outputError(error);
    }
  }

  /**
   * Prints progress, and waits for no reader.
   *
   * @param chunks Text, in pieces, which is left out as a whole where it is not read in time.
   * @returns Whether somebody still reads.
   * @throws {OutputError} Where some of it could not be written.
   */
  stream(chunks: Iterable<string>): boolean {
    this.#progress ??= new OutputStream((bytes) => Deno.stdout.write(bytes));
    const text = [...chunks].join("");
    try {
      return this.#progress.print([this.#guarded(text)]);
    } catch (error) {
      throw outputError(error);
    }
  }

  /**
   * Waits until the progress is written, or nobody reads it, and says what was left out.
   *
   * @throws {OutputError} Where it could not be written.
   */
  async endProgress(): Promise<void> {
    const progress = this.#progress;
    if (progress === null) return;
    await progress.drained().catch((error) => {
      throw outputError(error);
    });
    if (progress.dropped > 0) note(`${progress.dropped} lines of progress were not read in time`);
  }

  /**
   * Leaves a terminal as it was.
   *
   * @throws {OutputError} Where it cannot be written.
   */
  close(): void {
    if (this.#screen !== null) this.print([this.#screen.end()]);
  }

  #guarded(text: string): string {
    return this.#screen === null ? printableText(text) : this.#screen.pass(text);
  }
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
      // Another program made the pipe non-blocking: wait until its reader has read some.
      if (!(error instanceof Deno.errors.WouldBlock)) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** As much text as waits for a slow reader, in characters; what comes beyond it is dropped. */
const MOST_WAITING = 1 << 20;

/**
 * Prints progress without waiting for whom it is printed: a reader that stands still holds neither the harvester nor
 * an interrupt up. What it does not read in time is dropped, a part as a whole, and counted.
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
   * Nothing is printed yet.
   *
   * @param write Writes some of the bytes; answers how many.
   */
  constructor(write: (bytes: Uint8Array) => Promise<number>) {
    this.#write = write;
  }

  /**
   * Prints a part, as soon as it can be.
   *
   * @returns Whether somebody still reads.
   * @throws {Error} Where an earlier part could not be written, for another reason than that nobody reads.
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
      if (error instanceof Deno.errors.BrokenPipe) this.#isClosed = true;
      else this.#error = error;
      this.#waiting = [];
    }
  }

  /** Waits until all that was printed is written, or nobody reads. */
  async drained(): Promise<void> {
    await this.#writing;
    if (this.#error !== null) throw this.#error;
  }
}
