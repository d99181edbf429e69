/** As much text as waits for a slow reader, in characters; what comes beyond it is dropped. */
const MOST_WAITING = 1 << 20;

const encoder = new TextEncoder();

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
   * @param chunks Its text.
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
