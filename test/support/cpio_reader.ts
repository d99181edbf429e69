/** An entry of an archive. */
export interface CpioEntry {
  readonly name: string;
  readonly mode: number;
  readonly body: Uint8Array;
}

/**
 * Reads a "newc" archive as init/initramfs.c does: entries at multiples of four bytes, up to the
 * trailer.
 *
 * @throws {Error} If it is malformed.
 */
export function cpioEntries(bytes: Uint8Array): CpioEntry[] {
  const entries: CpioEntry[] = [];
  const text = (from: number, to: number) => new TextDecoder().decode(bytes.subarray(from, to));
  for (let at = 0;;) {
    if (text(at, at + 6) !== "070701") throw new Error(`no entry at ${at}`);
    const field = (n: number) => parseInt(text(at + 6 + 8 * n, at + 14 + 8 * n), 16);
    const [mode, size, nameSize] = [field(1), field(6), field(11)];
    const nameEnd = at + 110 + nameSize;
    if (bytes[nameEnd - 1] !== 0) throw new Error(`the name at ${at + 110} has no end`);
    const name = text(at + 110, nameEnd - 1);
    const from = up(nameEnd);
    if (from + size > bytes.length) throw new Error(`${name} is cut off`);
    at = up(from + size);
    if (name === "TRAILER!!!") {
      if (bytes.subarray(at).some((byte) => byte !== 0)) throw new Error("more after the trailer");
      return entries;
    }
    entries.push({ name, mode, body: bytes.subarray(from, from + size) });
  }
}

function up(at: number): number {
  return (at + 3) & ~3;
}
