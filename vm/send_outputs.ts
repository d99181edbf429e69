import type { FrameKind } from "./frames.ts";
import type { GuestFile } from "./guest_request.ts";

/** Puts bytes into a frame and sends it. */
type Send = (kind: FrameKind, body: Uint8Array) => Promise<void>;

const PIECE_BYTES = 1 << 14;
/** What a file is called until it is whole (checkpoint/checkpoint_folder.ts). */
const PART = ".part";

/**
 * Sends the files that a command writes: for each a `file` frame and its bytes, compressed, since a serial line is slow.
 */
export class OutputSender {
  readonly #outputs: readonly string[];
  readonly #send: Send;
  readonly #sent = new Set<string>();

  /**
   * Begins with none sent.
   *
   * @param outputs Absolute paths of files or folders.
   * @param send Sends a frame.
   */
  constructor(outputs: readonly string[], send: Send) {
    this.#outputs = outputs;
    this.#send = send;
  }

  /** Sends what is whole by now in folders: it is on the host then, whatever becomes of the machine. */
  async sendFinished(): Promise<void> {
    for (const output of this.#outputs) {
      const info = await Deno.stat(output).catch(() => null);
      if (!info?.isDirectory) continue;
      const names = (await Array.fromAsync(Deno.readDir(output)))
        .flatMap(({ name, isFile }) => isFile && !name.endsWith(PART) ? [name] : []);
      for (const name of names.sort()) await this.#sendOnce(output, name);
    }
  }

  /** Sends all that was not sent yet, the command having ended; an output that is not there is passed over. */
  async sendRest(): Promise<void> {
    await this.sendFinished();
    for (const output of this.#outputs) {
      const info = await Deno.stat(output).catch(() => null);
      if (info?.isFile) await this.#sendOnce(output, "");
    }
  }

  async #sendOnce(output: string, below: string): Promise<void> {
    const path = below === "" ? output : `${output}/${below}`;
    if (this.#sent.has(path)) return;
    this.#sent.add(path);
    const file: GuestFile = { output, below };
    await this.#send("file", new TextEncoder().encode(JSON.stringify(file)));
    const content = (await Deno.open(path)).readable;
    for await (const piece of content.pipeThrough(new CompressionStream("deflate-raw"))) {
      for (let at = 0; at < piece.length; at += PIECE_BYTES) {
        await this.#send("bytes", piece.subarray(at, at + PIECE_BYTES));
      }
    }
    await this.#send("bytes", new Uint8Array(0));
  }
}
