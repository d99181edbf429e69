const MAGIC = 0x464c457f; // "\x7fELF", little endian
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const PT_LOAD = 1;
const DT_NULL = 0;
const DT_STRTAB = 5;
const DT_SONAME = 14;

/** The longest text that is read. */
const MOST_BYTES = 4096;

/** A 64-bit ELF file, as far as this program asks (elf(5)). What it says lies beyond its end reads as zeros. */
export class Elf {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /**
   * Looks at a file.
   *
   * @param bytes All of it.
   * @returns The file, or `null` where it is no 64-bit ELF file.
   */
  static of(bytes: Uint8Array): Elf | null {
    const isElf = bytes.length >= 64 && new Elf(bytes).#view.getUint32(0, true) === MAGIC &&
      bytes[4] === 2;
    return isElf ? new Elf(bytes) : null;
  }

  /** The loader that a program asks for, `/lib64/ld-linux-x86-64.so.2`, or `null`. */
  get interpreter(): string | null {
    const segment = this.#segments().find(({ type }) => type === PT_INTERP);
    return segment === undefined ? null : this.#text(segment.offset);
  }

  /** The name by which programs ask for a library, or `null`. */
  get soname(): string | null {
    const segment = this.#segments().find(({ type }) => type === PT_DYNAMIC);
    if (segment === undefined) return null;
    let strings: number | null = null;
    let name: number | null = null;
    for (let at = segment.offset; at < segment.offset + segment.size; at += 16) {
      const tag = this.#number(at);
      const value = this.#number(at + 8);
      if (tag === DT_NULL) break;
      if (tag === DT_STRTAB) strings = this.#offsetOf(value);
      if (tag === DT_SONAME) name = value;
    }
    return strings === null || name === null ? null : this.#text(strings + name);
  }

  /**
   * The bytes of a section.
   *
   * @param wanted Its name.
   * @returns Its bytes, or `null` where there is none of that name.
   */
  section(wanted: string): Uint8Array | null {
    const table = this.#number(0x28);
    const size = this.#view.getUint16(0x3a, true);
    const count = this.#view.getUint16(0x3c, true);
    const headers = Array.from({ length: count }, (_, n) => table + n * size);
    const names = headers[this.#view.getUint16(0x3e, true)];
    if (names === undefined) return null;
    const strings = this.#number(names + 0x18);
    const found = headers.find((at) =>
      at < this.#bytes.length && this.#text(strings + this.#word(at)) === wanted
    );
    if (found === undefined) return null;
    const from = this.#number(found + 0x18);
    return this.#bytes.subarray(from, from + this.#number(found + 0x20));
  }

  #segments() {
    const table = this.#number(0x20);
    const size = this.#view.getUint16(0x36, true);
    return Array.from({ length: this.#view.getUint16(0x38, true) }, (_, n) => {
      const at = table + n * size;
      return {
        type: this.#word(at),
        offset: this.#number(at + 0x08),
        address: this.#number(at + 0x10),
        size: this.#number(at + 0x20),
      };
    });
  }

  // Where in the file an address is.
  #offsetOf(address: number): number | null {
    const segment = this.#segments().find(({ type, address: from, size }) =>
      type === PT_LOAD && address >= from && address < from + size
    );
    return segment === undefined ? null : address - segment.address + segment.offset;
  }

  #word(at: number): number {
    return at + 4 <= this.#bytes.length ? this.#view.getUint32(at, true) : 0;
  }

  #number(at: number): number {
    return at + 8 <= this.#bytes.length ? Number(this.#view.getBigUint64(at, true)) : 0;
  }

  #text(at: number): string {
    const bytes = this.#bytes.subarray(at, at + MOST_BYTES);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  }
}
