import type { FrameKind } from "./frames.ts";
import type { GuestFile } from "./guest_request.ts";

/** Puts bytes into a frame and sends it. */
type Send = (kind: FrameKind, body: Uint8Array) => Promise<void>;

const PIECE_BYTES = 1 << 14;

/**
 * Sends the files that a command wrote: for each a `file` frame and its bytes, compressed, since a serial line is slow.
 *
 * @param outputs Absolute paths of files or folders; one that is not there is passed over.
 * @param send Sends a frame.
 */
export async function sendOutputs(outputs: readonly string[], send: Send): Promise<void> {
  for (const output of outputs) {
    const info = await Deno.stat(output).catch(() => null);
    if (info === null) continue;
    const names = info.isDirectory ? await namesIn(output) : [""];
    if (info.isDirectory) await sendFile(output, "/", new Blob([]).stream(), send);
    for (const below of names) {
      const path = below === "" ? output : `${output}/${below}`;
      await sendFile(output, below, (await Deno.open(path)).readable, send);
    }
  }
}

async function namesIn(folder: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(folder));
  return entries.filter(({ isFile }) => isFile).map(({ name }) => name).sort();
}

async function sendFile(
  output: string,
  below: string,
  content: ReadableStream<BufferSource>,
  send: Send,
): Promise<void> {
  const file: GuestFile = { output, below };
  await send("file", new TextEncoder().encode(JSON.stringify(file)));
  const packed = content.pipeThrough(new CompressionStream("deflate-raw"));
  for await (const piece of packed) {
    for (let at = 0; at < piece.length; at += PIECE_BYTES) {
      await send("bytes", piece.subarray(at, at + PIECE_BYTES));
    }
  }
  await send("bytes", new Uint8Array(0));
}
