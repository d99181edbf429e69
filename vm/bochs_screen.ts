import { openLibc } from "../ffi/libc.ts";
import { O_CLOEXEC, O_NOCTTY, O_NONBLOCK, O_RDWR } from "../ffi/linux.ts";
import { type MachineCalls, openMachineCalls } from "../ffi/machine.ts";

/** How often what it shows is taken away. */
const READ_MS = 200;
const PIECE_BYTES = 1 << 14;

/**
 * The screen of Bochs: the master of a terminal pair that it opens itself. What it shows has to be read by somebody, or
 * it waits: this process does, as long as it lives, and looks at none of it.
 */
export class BochsScreen implements Disposable {
  readonly #kernel = openLibc();
  readonly #calls: Pick<MachineCalls, "makeRaw">;
  #fd = -1;
  #timer: ReturnType<typeof setInterval> | null = null;
  #path: string | null = null;
  #isOver = false;

  /**
   * None was found yet.
   *
   * @param calls What sets a terminal up.
   */
  constructor(calls: Pick<MachineCalls, "makeRaw"> = openMachineCalls()) {
    this.#calls = calls;
  }

  /** The slave of the terminal pair, or `null` where Bochs has not told of it yet. */
  get path(): string | null {
    return this.#path;
  }

  /**
   * Finds the screen in what Bochs says, and begins to read it.
   *
   * @param said What it says.
   * @returns The same.
   */
  async *foundIn(said: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const decoder = new TextDecoder();
    let text: string | null = "";
    for await (const bytes of said) {
      if (text !== null) {
        text += decoder.decode(bytes, { stream: true });
        const found = /connected to screen "([^"]+)"/.exec(text);
        if (found !== null) {
          this.#path = found[1]!;
          this.#read(this.#path);
          text = null;
        }
      }
      yield bytes;
    }
  }

  #read(path: string): void {
    // The screen went with Bochs: its name may be another terminal's by now.
    if (this.#isOver) return;
    this.#fd = this.#kernel.open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (this.#fd < 0) return;
    // An echo would be typed into the machine, and a line that does not end would never be there to be read.
    this.#calls.makeRaw(this.#fd);
    const buffer = new Uint8Array(PIECE_BYTES);
    this.#timer = setInterval(() => {
      while (this.#kernel.read(this.#fd, buffer) > 0);
    }, READ_MS);
  }

  /** Reads no more. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    if (this.#fd >= 0) this.#kernel.close(this.#fd);
    this.#fd = -1;
  }
}
