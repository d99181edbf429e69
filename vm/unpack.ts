/** What a program that decompresses came to. */
export interface Unpacked {
  /** Its exit status. */
  readonly code: number;
  /** What it made of the file; `null` where that is more than was wanted, and it was ended. */
  readonly bytes: Uint8Array | null;
  /** What it said. */
  readonly stderr: Uint8Array;
}

/**
 * Has a program decompress a file, up to a size: a small file can hold gigabytes.
 *
 * @param program The program.
 * @param args Its arguments, the file among them.
 * @param most The most bytes that are wanted.
 * @returns What it came to.
 */
export async function unpack(
  program: string,
  args: readonly string[],
  most: number,
): Promise<Unpacked> {
  const child = new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const said = new Response(child.stderr).arrayBuffer();
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of child.stdout) {
    size += piece.length;
    // To read no further closes the pipe, which ends the program.
    if (size > most) break;
    pieces.push(piece);
  }
  const { code } = await child.status;
  const stderr = new Uint8Array(await said);
  if (size > most) return { code, bytes: null, stderr };
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return { code, bytes, stderr };
}
