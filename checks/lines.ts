/**
 * The lines of a stream of bytes, without their ends; what stands behind the last end is no line.
 *
 * @param stream The stream.
 * @returns Its lines, as they come.
 */
export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
